//! The options and inputs of retries, by hand and by a resumed workflow.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use slurm::error::JobErrorKind;
use slurm::{Explanation, JobArray, JobContext, Workflow};

use crate::common::{PATIENCE, Site, error_of, kind_of, result_of, until};
use crate::tasks::*;
use crate::workflows::jobs_of_workflows::{needs, with_slurmfile};

trials![
    both a_resumed_workflow_retries_items_without_a_record,
    both a_resumed_workflow_retries_cancelled_items,
    both a_resumed_workflow_takes_values_of_the_latest_attempt,
    both a_retry_has_the_options_of_the_first_attempt,
    both a_retry_keeps_singleton,
    both resumed_items_follow_the_items_of_the_same_index,
    both a_dry_run_of_a_retry_submits_nothing,
    both a_job_can_wait_for_the_start_of_all_attempts,
    local a_retry_keeps_the_throttle,
];

/// Ends the process at its first call with this file.
#[slurm::task(time = "5:00")]
fn dies_once(marker: PathBuf) -> u32 {
    if !marker.exists() {
        fs::write(&marker, "").unwrap();
        std::process::exit(7);
    }
    1
}

/// At its first call with this file, keeps running until the deadline, even when it is asked to stop.
#[slurm::task(time = "5:00")]
fn holds_out_once(ctx: &JobContext, marker: PathBuf) -> u32 {
    if marker.exists() {
        return 1;
    }
    // After this call SIGTERM does not end the process.
    ctx.stop_requested();
    fs::write(&marker, "").unwrap();
    let deadline = Instant::now() + 2 * PATIENCE;
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    0
}

#[slurm::task(time = "5:00")]
fn plus_one(n: u32) -> u32 {
    n + 1
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn sum_of_those_that_die(flow: &Workflow, markers: Vec<PathBuf>) -> slurm::Result<u32> {
    Ok(dies_once::map(markers).mem("256M").submit(flow)?.results()?.iter().sum())
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn sum_of_those_that_hold_out(flow: &Workflow, markers: Vec<PathBuf>) -> slurm::Result<u32> {
    let array = holds_out_once::map(markers).mem("256M").max_running(2).submit(flow)?;
    Ok(array.results()?.iter().sum())
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn one_after_the_other(flow: &Workflow, files: Vec<PathBuf>) -> slurm::Result<Vec<u32>> {
    let needed = needs::map(files).mem("256M").submit(flow)?;
    let greater = plus_one::map(&needed).mem("256M").submit(flow)?;
    greater.results()
}

fn markers(site: &Site, count: usize) -> Vec<PathBuf> {
    (0..count).map(|n| site.path(&format!("marker-{n}"))).collect()
}

fn a_resumed_workflow_retries_items_without_a_record(site: &Site) {
    let markers = markers(site, 3);
    fs::write(&markers[0], "").unwrap();
    let call = || sum_of_those_that_die::job(markers.clone());
    let job = call().submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert!(error.to_string().contains("exit code 7"), "{error}");
    until("all have died", || markers.iter().all(|marker| marker.exists()));
    let resumed = call().resume(&job).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&resumed), 3);
}

fn a_resumed_workflow_retries_cancelled_items(site: &Site) {
    let markers = markers(site, 3);
    let call = || sum_of_those_that_hold_out::job(markers.clone());
    let job = call().submit(&site.cluster).unwrap();
    // The last one is cancelled before it runs.
    until("two run", || markers[..2].iter().all(|marker| marker.exists()));
    job.cancel().unwrap();
    assert_eq!(kind_of(&job), JobErrorKind::Cancelled);
    fs::write(&markers[2], "").unwrap();
    let resumed = call().resume(&job).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&resumed), 3);
}

fn a_resumed_workflow_takes_values_of_the_latest_attempt(site: &Site) {
    let (present, file) = (site.path("present"), site.path("needed"));
    fs::write(&present, "").unwrap();
    let call = || one_after_the_other::job(vec![file.clone(), present.clone()]);
    let job = call().submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert!(error.to_string().contains("needed is missing"), "{error}");
    fs::write(&file, "").unwrap();
    let resumed = call().resume(&job).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&resumed), [101, 101]);
}

/// The call unsets some of these options.
#[slurm::task(time = "5:00", overcommit, nice = 3, extra = ["--switches=1"])]
fn fails(n: u32) -> Result<u32, String> {
    Err(format!("{n} is no good"))
}

/// Returns the description of an attempt.
pub(super) fn latest<T>(array: &JobArray<T>, attempt: usize) -> Explanation {
    latest_in(array.job_dir(), attempt)
}

fn latest_in(dir: &Path, attempt: usize) -> Explanation {
    let json = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let note = json(&dir.join(format!("retry-{attempt}.json")));
    let dir = Path::new(note["dir"].as_str().unwrap());
    serde_json::from_value(json(&dir.join("job.json"))).unwrap()
}

fn a_retry_has_the_options_of_the_first_attempt(site: &Site) {
    let before = "[default.submit]\ncomment = 'of before'\nextra = ['--mail-type=NONE']\n";
    let array = fails::map([1_u32, 2])
        .overcommit(false)
        .job_name("chosen")
        .max_running(2)
        .max_attempts(3)
        .submit(&with_slurmfile(site, before))
        .unwrap();
    assert_eq!(array.wait_timeout(PATIENCE).unwrap().failed, 2);
    // Another process has another Slurmfile.
    let now = "[default.submit]\ncomment = 'of now'\nmail_user = 'nobody'\npartition = 'low'\n\
               extra = ['--mail-type=END']\n";
    let other = with_slurmfile(site, now).attach_array::<fails>(array.submission_id()).unwrap();
    other.wait_timeout(PATIENCE).unwrap();
    let first = array.explain().unwrap();
    for attempt in [1, 2] {
        assert_eq!(other.wait_timeout(PATIENCE).unwrap().failed, 2);
        assert_eq!(other.retry_failed().unwrap(), 2);
        let again = latest(&array, attempt);
        // The paths of the logs differ in each attempt.
        let given = |explanation: &Explanation| {
            let of_attempt = ["output", "error"];
            let mut options = explanation.options.clone();
            options.retain(|option| !of_attempt.contains(&option.key.as_str()));
            (options, explanation.extra.clone())
        };
        assert_eq!(given(&again), given(first));
        assert!(given(first).0.iter().any(|option| option.key == "job_name"));
        let count = |text: &str| again.script.matches(text).count();
        assert_eq!((count("--switches=1"), count("--mail-type=NONE")), (1, 1), "{}", again.script);
        for foreign in ["--overcommit", "--partition", "of now", "--mail-user", "type=END"] {
            assert_eq!(count(foreign), 0, "{foreign} in {}", again.script);
        }
        assert!(again.script.contains("--array=0-1%2"), "{}", again.script);
    }
    assert_eq!(other.wait_timeout(PATIENCE).unwrap().failed, 2);
}

fn a_retry_keeps_the_throttle(site: &Site) {
    // Five items in two Slurm arrays fail.
    let items = (0..1100).map(|n| if n % 220 == 7 { -1 } else { n });
    let array = root::map(items).chunk(1).max_running(3).submit(&site.cluster).unwrap();
    assert_eq!(array.job_ids().count(), 2);
    assert_eq!(array.wait_timeout(2 * PATIENCE).unwrap().failed, 5);
    assert_eq!(array.retry_failed().unwrap(), 5);
    assert!(latest(&array, 1).script.contains("--array=0-4%3"));
    assert_eq!(array.wait_timeout(PATIENCE).unwrap().failed, 5);
}

fn a_dry_run_of_a_retry_submits_nothing(site: &Site) {
    let array = root::map([4, -1]).submit(&site.cluster).unwrap();
    assert_eq!(array.wait_timeout(PATIENCE).unwrap().failed, 1);
    let dry = site.builder().job_base_dir(site.base.path()).dry_run(true).build().unwrap();
    let attached = dry.attach_array::<root>(array.submission_id()).unwrap();
    attached.wait_timeout(PATIENCE).unwrap();
    assert_eq!(attached.retry_failed().unwrap(), 1);
    let explanation = dry.rehearsed().pop().unwrap();
    assert_eq!(explanation.array.as_ref().unwrap().items, 1);
    assert_eq!(site.submissions().len(), 1);
    assert!(!array.job_dir().join("retry-1.json").exists());
}

fn a_job_can_wait_for_the_start_of_all_attempts(site: &Site) {
    let gate = site.path("gate");
    let items = [(-1, gate.as_path()), (1, gate.as_path())];
    let array = fail_or_wait::map(items).submit(&site.cluster).unwrap();
    until("one has failed and one runs", || {
        let progress = array.wait_timeout(Duration::from_millis(50)).unwrap();
        (progress.failed, progress.running) == (1, 1)
    });
    assert_eq!(array.retry_failed().unwrap(), 1);
    let later = add::job(1, 2).after_start(&array, Duration::from_secs(300));
    let explained = later.explain(&site.cluster).unwrap().script;
    assert_eq!(explained.matches("+5").count(), 2, "{explained}");
    let job = add::job(1, 2).after_start(&array, Duration::ZERO).submit(&site.cluster).unwrap();
    // The first attempt has not ended at this time.
    assert_eq!(result_of(&job), 3);
    assert_eq!(array.progress().succeeded, 0);
    fs::write(&gate, "").unwrap();
    assert_eq!(array.wait_timeout(PATIENCE).unwrap().succeeded, 1);
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn one_at_a_time(flow: &Workflow, name: String, files: Vec<PathBuf>) -> slurm::Result<u32> {
    let needed = needs::map(files).mem("256M").job_name(name).singleton().kill_on_invalid_dep("no");
    Ok(needed.submit(flow)?.results()?.iter().sum())
}

/// Asserts that an attempt has the dependency options of the array.
fn is_single(dir: &Path, attempt: usize) {
    let script = latest_in(dir, attempt).script;
    let has = |option: &str| script.lines().any(|line| line == format!("#SBATCH --{option}"));
    assert!(has("dependency=singleton") && has("kill-on-invalid-dep=no"), "{script}");
}

fn a_retry_keeps_singleton(site: &Site) {
    let files = [site.path("one"), site.path("two")];
    let name = site.base.path().file_name().unwrap().to_str().unwrap();
    let call = || one_at_a_time::job(name.to_owned(), files.to_vec());
    let job = call().submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert!(error.to_string().contains("is missing"), "{error}");
    files.iter().for_each(|file| fs::write(file, "").unwrap());
    let resumed = call().resume(&job).unwrap().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&resumed), 200);
    let arrays = fs::read_dir(job.job_dir().join("tasks/needs")).unwrap().flatten();
    let mut arrays = arrays.map(|array| array.path());
    is_single(&arrays.find(|array| array.join("retry-1.json").exists()).unwrap(), 1);

    let array = needs::map([site.path("missing")]).mem("256M").job_name(name).singleton();
    let array = array.kill_on_invalid_dep("no").submit(&site.cluster).unwrap();
    assert_eq!(array.wait_timeout(PATIENCE).unwrap().failed, 1);
    assert_eq!(array.retry_failed().unwrap(), 1);
    is_single(array.job_dir(), 1);
    assert_eq!(array.wait_timeout(PATIENCE).unwrap().failed, 1);
}

/// Succeeds if at least two of the `last` items have a value, and returns which ones.
#[slurm::workflow(time = "10:00", mem = "256M")]
fn pairs(flow: &Workflow, first: Vec<PathBuf>, last: Vec<PathBuf>) -> anyhow::Result<Vec<bool>> {
    let first = needs::map(first).mem("256M").submit(flow)?;
    let last = needs::map(last).mem("256M").after_corr(&first).submit(flow)?;
    let made: Vec<bool> = last.try_results()?.iter().map(Result::is_ok).collect();
    anyhow::ensure!(made.iter().filter(|made| **made).count() >= 2, "{made:?}");
    Ok(made)
}

fn resumed_items_follow_the_items_of_the_same_index(site: &Site) {
    let there = site.path("there");
    fs::write(&there, "").unwrap();
    let [later, never, first, last] =
        ["later", "never", "first", "last"].map(|name| site.path(name));
    let resumed = |of_first: [&PathBuf; 3], of_last: [&PathBuf; 3], made: [&PathBuf; 2]| {
        let call = || {
            pairs::job(of_first.map(PathBuf::clone).to_vec(), of_last.map(PathBuf::clone).to_vec())
        };
        let job = call().submit(&site.cluster).unwrap();
        let error = error_of(&job);
        assert!(error.to_string().contains("true"), "{error}");
        made.iter().for_each(|file| fs::write(file, "").unwrap());
        result_of(&call().resume(&job).unwrap().submit(&site.cluster).unwrap())
    };
    // A second failure of an item affects no other item.
    let made = resumed([&later, &never, &there], [&there; 3], [&later; 2]);
    assert_eq!(made, [true, false, true]);
    // One item is retried because of its own failure, another because of its predecessor's.
    let made = resumed([&first, &there, &there], [&there, &there, &last], [&first, &last]);
    assert_eq!(made, [true; 3]);
}
