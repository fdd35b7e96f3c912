//! Retries by several processes, and earlier attempts.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Barrier;
use std::time::Duration;

use slurm::error::JobErrorKind;
use slurm::{ArrayHandle, BackendKind, Cluster, Error, JobArray, JobContext, JobState, Workflow};

use crate::common::{PATIENCE, Site, result_of, until};
use crate::retries::inputs_and_options::latest;
use crate::tasks::*;

trials![
    all failed_items_can_be_retried,
    all two_simultaneous_retries_submit_once,
    all retried_items_are_cancelled_with_the_array,
    all a_job_waits_for_running_items_of_earlier_attempts,
    all a_retry_waits_for_the_values_that_it_takes,
    both the_claim_of_a_dead_client_expires,
    both retries_of_a_workflow_are_cancelled_with_it,
    both a_retry_under_way_is_cancelled_with_the_array,
];

fn failed_items_can_be_retried(site: &Site) {
    let there = site.path("there");
    fs::write(&there, "").unwrap();
    let items = [there, site.path("one"), site.path("two")];
    let array = second_time::map(items).max_attempts(2).submit(&site.cluster).unwrap();
    assert_eq!(array.wait().unwrap().failed, 2);
    assert_eq!(array.retry_failed().unwrap(), 2);
    assert_eq!(array.results().unwrap(), ["this time"; 3]);
    assert_eq!(array.retry_failed().unwrap(), 0);
    let attached = site.cluster.attach_array::<second_time>(array.submission_id()).unwrap();
    assert_eq!(attached.results().unwrap(), ["this time"; 3], "all attempts are found");
    // A client that dies after sbatch leaves such a note.
    let note = array.job_dir().join("retry-1.json");
    let mut handle: serde_json::Value = serde_json::from_slice(&fs::read(&note).unwrap()).unwrap();
    handle["parts"] = serde_json::json!([]);
    fs::write(&note, handle.to_string()).unwrap();
    let attached = site.cluster.attach_array::<second_time>(array.submission_id()).unwrap();
    assert_eq!(
        attached.results().unwrap(),
        ["this time"; 3],
        "an attempt without ids is found too"
    );

    // A stream that has begun returns the new attempts, and only those.
    let items = [site.path("three"), site.path("four")];
    let array = second_time::map(items).max_attempts(3).submit(&site.cluster).unwrap();
    let mut given = Vec::new();
    for (index, value) in array.stream().unwrap() {
        given.push((index, value.is_ok()));
        if given.len() == 2 {
            // Another handle retries the items; this handle finds the attempt.
            let other = site.cluster.attach_array::<second_time>(array.submission_id()).unwrap();
            other.wait().unwrap();
            assert_eq!(other.retry_failed().unwrap(), 2);
            other.wait().unwrap();
            assert_eq!(array.retry_failed().unwrap(), 0);
        }
    }
    given[..2].sort_unstable();
    given[2..].sort_unstable();
    assert_eq!(given, [(0, false), (1, false), (0, true), (1, true)]);
    assert_eq!(array.stream().unwrap().count(), 2, "each item appears once");

    let array = root::map([-1]).max_attempts(2).submit(&site.cluster).unwrap();
    assert_eq!(array.wait().unwrap().failed, 1);
    assert_eq!(array.retry_failed().unwrap(), 1);
    assert_eq!(array.wait().unwrap().failed, 1);
    let error = array.retry_failed().unwrap_err();
    assert!(matches!(error, Error::Attempts { items: 1, attempts: 2 }), "{error:?}");
}

/// Records the call, and fails.
#[slurm::task(time = "5:00", mem = "256M")]
fn fail_and_note(notes: PathBuf) -> Result<(), String> {
    note(&notes, "x");
    Err("never".to_owned())
}

/// Returns another client of the same cluster.
fn client(site: &Site) -> Cluster {
    site.builder().job_base_dir(site.base.path()).local_cpus(4).build().unwrap()
}

fn two_simultaneous_retries_submit_once(site: &Site) {
    let rounds = if site.kind == BackendKind::Local { 12 } else { 1 };
    let notes = [site.path("one"), site.path("two")];
    let builder = fail_and_note::map(&notes).max_attempts(rounds + 1);
    let array = builder.submit(&site.cluster).unwrap();
    let clients = [client(site), client(site)];
    for round in 1..=rounds {
        let ready = Barrier::new(2);
        let try_again = |client: &Cluster| {
            let array = client.attach_array::<fail_and_note>(array.submission_id()).unwrap();
            assert_eq!(array.wait().unwrap().failed, 2);
            ready.wait();
            let count = array.retry_failed().unwrap();
            assert_eq!(array.wait().unwrap().failed, 2, "both clients wait for the same attempt");
            count
        };
        let counts = std::thread::scope(|scope| {
            let threads = clients.each_ref().map(|client| scope.spawn(|| try_again(client)));
            threads.map(|thread| thread.join().unwrap())
        });
        assert_eq!(counts.iter().sum::<usize>(), 2, "round {round}: {counts:?}");
        let runs = notes.each_ref().map(|notes| fs::read(notes).unwrap().len());
        assert_eq!(runs, [round + 1; 2], "round {round}");
    }
}

/// A client that dies before it submits the claimed attempt leaves such a claim.
fn the_claim_of_a_dead_client_expires(site: &Site) {
    let array = second_time::map([site.path("one")]).submit(&site.cluster).unwrap();
    assert_eq!(array.wait().unwrap().failed, 1);
    let mut handle = serde_json::to_value(array.handle()).unwrap();
    handle["parts"] = serde_json::json!([]);
    handle["dir"] = serde_json::json!(site.path("never"));
    fs::write(array.job_dir().join("retry-1.json"), handle.to_string()).unwrap();
    assert_eq!(array.retry_failed().unwrap(), 1);
    assert_eq!(array.results().unwrap(), ["this time"]);
    let attached = client(site).attach_array::<second_time>(array.submission_id()).unwrap();
    assert_eq!(attached.results().unwrap(), ["this time"]);
}

/// Fails and creates `marker` if it does not exist. Otherwise waits for `gate`, if there is one.
#[slurm::task(time = "5:00", mem = "256M")]
fn settle(marker: &Path, gate: Option<PathBuf>) -> Result<i64, String> {
    if !marker.exists() {
        fs::write(marker, "").unwrap();
        return Err("not the first time".to_owned());
    }
    while gate.as_ref().is_some_and(|gate| !gate.exists()) {
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(1)
}

fn one_failed(array: &JobArray<i64>) {
    until("one has failed", || array.refresh().unwrap().failed == 1);
}

fn retried_items_are_cancelled_with_the_array(site: &Site) {
    cancelled_by_another(site, "all", JobArray::cancel);
    cancelled_by_another(site, "one", |array| array.cancel_items([0]));
}

fn cancelled_by_another(
    site: &Site,
    marker: &str,
    cancel: impl Fn(&JobArray<i64>) -> slurm::Result<()>,
) {
    let items = [(site.path(marker), Some(site.path("never")))];
    let array = settle::map(items).submit(&site.cluster).unwrap();
    one_failed(&array);
    // The other handle does not know the new attempt.
    let other = client(site).attach_array::<settle>(array.submission_id()).unwrap();
    assert_eq!(other.wait().unwrap().failed, 1);
    assert_eq!(array.retry_failed().unwrap(), 1);
    until("it runs again", || array.refresh().unwrap().running == 1);
    cancel(&other).unwrap();
    assert_eq!(array.wait_timeout(PATIENCE).unwrap().failed, 1);
    is_cancelled(&array, 0);
}

fn is_cancelled(array: &JobArray<i64>, item: usize) {
    match array.result(item) {
        Err(Error::Job(error)) => assert_eq!(error.kind, JobErrorKind::Cancelled, "{error}"),
        other => panic!("{other:?}"),
    }
}

/// Fails at its first call with this marker. Later runs until it is asked to stop, and records that.
#[slurm::task(time = "5:00", mem = "256M")]
fn until_stopped(ctx: &JobContext, marker: &Path, stopped: &Path) -> Result<i64, String> {
    if !marker.exists() {
        fs::write(marker, "").unwrap();
        return Err("not the first time".to_owned());
    }
    while !ctx.stop_requested() {
        std::thread::sleep(Duration::from_millis(5));
    }
    fs::write(stopped, "").unwrap();
    Ok(1)
}

fn a_retry_under_way_is_cancelled_with_the_array(site: &Site) {
    let (there, stopped) = (site.path("there"), [site.path("again"), site.path("first")]);
    fs::write(&there, "").unwrap();
    let items = [(site.path("marker"), stopped[0].clone()), (there, stopped[1].clone())];
    let array = until_stopped::map(items).submit(&site.cluster).unwrap();
    one_failed(&array);
    assert_eq!(array.retry_failed().unwrap(), 1);
    until("both run", || array.refresh().unwrap().running == 2);
    // The note is like this while sbatch has not answered.
    let note = array.job_dir().join("retry-1.json");
    let submitted = fs::read(&note).unwrap();
    let mut claim: serde_json::Value = serde_json::from_slice(&submitted).unwrap();
    let dir = site.path("claimed");
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("script.sh"), "").unwrap();
    claim["parts"] = serde_json::json!([]);
    claim["dir"] = serde_json::json!(dir);
    fs::write(&note, claim.to_string()).unwrap();
    let other = client(site).attach_array::<until_stopped>(array.submission_id()).unwrap();
    std::thread::scope(|scope| {
        let cancel = scope.spawn(|| other.cancel());
        until("the known attempt is cancelled", || stopped[1].exists());
        fs::write(&note, &submitted).unwrap();
        cancel.join().unwrap().unwrap();
    });
    until("the later attempt is cancelled too", || stopped[0].exists());
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn settles(flow: &Workflow, marker: &Path, gate: &Path) -> slurm::Result<i64> {
    let array = settle::map([(marker, Some(gate.to_owned()))]).submit(flow)?;
    array.wait()?;
    array.retry_failed()?;
    Ok(array.results()?.iter().sum())
}

fn retries_of_a_workflow_are_cancelled_with_it(site: &Site) {
    let job = settles::job(site.path("marker"), site.path("never")).submit(&site.cluster).unwrap();
    let note = || {
        let attempts = fs::read_dir(job.job_dir().join("tasks/settle")).ok()?.flatten();
        let mut notes = attempts.map(|dir| dir.path().join("retry-1.json"));
        let note = fs::read(notes.find(|note| note.exists())?).ok()?;
        let handle: ArrayHandle = serde_json::from_slice(&note).ok()?;
        (!handle.parts.is_empty()).then_some(handle)
    };
    until("the item is retried", || note().is_some());
    let again = site.cluster.attach_array::<settle>(note().unwrap()).unwrap();
    until("it runs", || again.refresh().unwrap().running == 1);
    job.cancel().unwrap();
    assert_eq!(again.wait_timeout(PATIENCE).unwrap().failed, 1);
    is_cancelled(&again, 0);
}

fn a_job_waits_for_running_items_of_earlier_attempts(site: &Site) {
    let (there, gate) = (site.path("there"), site.path("gate"));
    fs::write(&there, "").unwrap();
    let items = [(site.path("marker"), None), (there, Some(gate.clone()))];
    let array = settle::map(items).submit(&site.cluster).unwrap();
    one_failed(&array);
    assert_eq!(array.retry_failed().unwrap(), 1);
    let total = sum::job(&array).submit(&site.cluster).unwrap();
    assert_eq!(array.result(0).unwrap(), 1);
    // The second attempt has ended, and the first one still makes the other item.
    let option = |key: &str| {
        let options = &total.explain().unwrap().options;
        options.iter().find(|option| option.key == key).and_then(|option| option.value.clone())
    };
    let waits = option("dependency").unwrap();
    let first = array.job_ids().next().unwrap();
    assert!(waits.contains(&format!("afterany:{first}")), "{waits}");
    assert_eq!(total.state().unwrap(), JobState::Pending);
    fs::write(&gate, "").unwrap();
    assert_eq!(result_of(&total), 2);
}

fn a_retry_waits_for_the_values_that_it_takes(site: &Site) {
    let (there, gate) = (site.path("there"), site.path("gate"));
    fs::write(&there, "").unwrap();
    let items = [(site.path("marker"), Some(gate.clone())), (there, None)];
    let values = settle::map(items).submit(&site.cluster).unwrap();
    let sums = add::map(values.into_iter().map(|value| (value, 10))).submit(&site.cluster).unwrap();
    assert_eq!(sums.wait_timeout(PATIENCE).unwrap().failed, 1);
    assert_eq!(values.wait_timeout(PATIENCE).unwrap().failed, 1);
    assert_eq!(values.retry_failed().unwrap(), 1);
    // The value is being made again but does not exist yet.
    assert_eq!(sums.retry_failed().unwrap(), 1);
    let note = fs::read(values.job_dir().join("retry-1.json")).unwrap();
    let again: ArrayHandle = serde_json::from_slice(&note).unwrap();
    let script = latest(&sums, 1).script;
    assert!(script.contains(&format!("afterany:{}", again.parts[0].job_id)), "{script}");
    fs::write(&gate, "").unwrap();
    assert_eq!(sums.results().unwrap(), [11, 11]);
}
