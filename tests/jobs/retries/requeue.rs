//! Jobs that run again under the same id.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use slurm::error::JobErrorKind;
use slurm::{BackendKind, Error, Job, JobContext, JobState, Requeue, Workflow};

use crate::common::{PATIENCE, Site, kind_of, result_of, until};
use crate::embedded::supervisor::{another_client, kill_supervisor};
use crate::tasks::add;
use crate::workflows::jobs_of_workflows::with_slurmfile;

trials![
    both a_task_that_asks_for_a_requeue_is_run_again,
    both a_task_that_asks_too_often_is_not_requeued,
    both a_cancelled_task_that_asks_for_a_requeue_stays_cancelled,
    both one_process_can_ask_for_a_requeue_of_the_job,
    both a_warned_task_continues_in_its_next_run,
    both no_requeue_refuses_a_request_for_a_requeue,
    both an_element_that_asks_for_a_requeue_is_run_again,
    both only_the_element_that_asks_is_run_again,
    both an_element_without_requeues_left_has_timed_out,
    both one_process_of_an_element_can_ask_for_a_requeue,
    both an_element_has_failed_if_an_item_failed_in_an_earlier_run,
    both a_slurmfile_limits_requeues,
    local a_request_for_a_requeue_can_be_inside_any_error,
    local a_task_that_ignores_warnings_is_requeued_in_time,
    local a_requeue_outlives_the_supervisor,
    local on_timeout_reports_options_that_contradict_it,
    local attribute_and_call_take_precedence_over_on_timeout_of_a_slurmfile,
];

/// Records each run in its checkpoint, and asks for another run until there were `wanted`.
#[slurm::task(time = "5:00")]
pub(crate) fn count_runs(
    ctx: &JobContext,
    wanted: usize,
) -> Result<(Vec<u32>, Option<String>), Requeue> {
    println!("run {}", ctx.restart_count());
    let file = ctx.checkpoint_dir().unwrap().join("runs");
    let mut runs: Vec<u32> = fs::read(&file)
        .map_or_else(|_| Vec::new(), |bytes| serde_json::from_slice(&bytes).unwrap());
    runs.push(ctx.restart_count());
    fs::write(&file, serde_json::to_vec(&runs).unwrap()).unwrap();
    if runs.len() < wanted {
        return Err(Requeue::because(format!("{} of {wanted} runs", runs.len())));
    }
    Ok((runs, std::env::var("HOME").ok()))
}

fn a_task_that_asks_for_a_requeue_is_run_again(site: &Site) {
    let job = count_runs::job(3_usize).submit(&site.cluster).unwrap();
    let (runs, home) = result_of(&job);
    assert_eq!(
        runs,
        [0, 1, 2],
        "each run knows its number and finds the checkpoint of the run before"
    );
    assert_eq!(home, std::env::var("HOME").ok(), "the last run has the submitter's environment");
    assert_eq!(job.stdout().unwrap(), "run 0\nrun 1\nrun 2\n", "each run appends to the log");
    let diary = serde_json::to_string(&job.events()).unwrap();
    assert!(diary.contains("1 of 3 runs") && diary.contains("2 of 3 runs"), "{diary}");
    assert_eq!(job.report().unwrap().restart_count, 2);
    assert_eq!(job.state().unwrap(), JobState::Completed);
}

fn a_task_that_asks_too_often_is_not_requeued(site: &Site) {
    let job = count_runs::job(9_usize).max_requeues(1).submit(&site.cluster).unwrap();
    let error = crate::common::error_of(&job);
    let JobErrorKind::NotRequeued { reason } = &error.kind else { panic!("{error}") };
    assert!(
        reason.contains("1 time already") && reason.contains("`max_requeues` is 1"),
        "{reason}"
    );
    assert!(error.hint().unwrap().contains("max_requeues"));
}

/// Asks for another run when it is asked to stop.
#[slurm::task(time = "5:00")]
fn ask_when_told(ctx: &JobContext, ready: &Path) -> anyhow::Result<u32> {
    use anyhow::Context;
    while ctx.restart_count() == 0 {
        if ctx.stop_requested() {
            fs::write(ctx.checkpoint_dir()?.join("state"), "half way")?;
            return Err(Requeue::new()).context("stopping");
        }
        if !ready.exists() {
            fs::write(ready, "")?;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let state = fs::read_to_string(ctx.checkpoint_dir()?.join("state"))?;
    anyhow::ensure!(state == "half way", "the checkpoint is {state:?}");
    Ok(ctx.restart_count())
}

fn a_cancelled_task_that_asks_for_a_requeue_stays_cancelled(site: &Site) {
    let ready = site.path("ready");
    let job = ask_when_told::job(ready.as_path()).submit(&site.cluster).unwrap();
    until("it watches", || ready.exists());
    job.cancel().unwrap();
    assert_eq!(kind_of(&job), JobErrorKind::Cancelled);
    assert_eq!(job.state().unwrap(), JobState::Cancelled);
}

/// The last process asks for another run in the first run; the first process returns the value in the second.
#[slurm::task(time = "5:00", ntasks = 2)]
fn last_one_asks(ctx: &JobContext) -> Result<u32, Box<dyn std::error::Error>> {
    if ctx.restart_count() == 0 && ctx.rank() == 1 {
        return Err(Requeue::because("the second process wants it").into());
    }
    Ok(ctx.restart_count())
}

fn one_process_can_ask_for_a_requeue_of_the_job(site: &Site) {
    let job = last_one_asks::job().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 1);
}

fn patient<T: std::fmt::Debug>(job: &Job<T>) -> slurm::Result<T> {
    loop {
        match job.result_timeout(PATIENCE) {
            // Slurm checks time limits about every half minute.
            Err(Error::StillRunning { .. }) => {}
            other => return other,
        }
    }
}

fn a_warned_task_continues_in_its_next_run(site: &Site) {
    let limit = match site.kind {
        BackendKind::Local => Duration::from_secs(20),
        _ => Duration::from_secs(60),
    };
    let job = ask_when_told::job(site.path("ready"))
        .time(limit)
        .on_timeout(slurm::OnTimeout::Requeue)
        .submit(&site.cluster)
        .unwrap();
    assert_eq!(patient(&job).unwrap(), 1);
    let options = &job.explain().unwrap().options;
    let value = |key: &str| options.iter().find(|option| option.key == key).unwrap().value.clone();
    assert_eq!(value("signal"), Some(format!("B:USR2@{}", limit.as_secs() / 2)));
    assert!(options.iter().any(|option| option.key == "requeue"), "{options:?}");
}

fn no_requeue_refuses_a_request_for_a_requeue(site: &Site) {
    let job = count_runs::job(2_usize).no_requeue(true).submit(&site.cluster).unwrap();
    let JobErrorKind::NotRequeued { reason } = kind_of(&job) else { panic!("requeued") };
    assert!(reason.contains("no_requeue"), "{reason}");
}

fn an_element_that_asks_for_a_requeue_is_run_again(site: &Site) {
    let array = count_runs::map([1_usize, 2]).submit(&site.cluster).unwrap();
    let runs: Vec<Vec<u32>> = array.results().unwrap().into_iter().map(|(runs, _)| runs).collect();
    assert_eq!(runs, [vec![0], vec![0, 1]], "each element has its own runs and checkpoint");
    let array = count_runs::map([1_usize, 9]).max_requeues(1).submit(&site.cluster).unwrap();
    let results = array.try_results().unwrap();
    assert!(results[0].is_ok());
    let Err(Error::Job(error)) = &results[1] else { panic!("{:?}", results[1]) };
    assert!(matches!(error.kind, JobErrorKind::NotRequeued { .. }), "{error}");
    let builder = count_runs::map([9_usize, 1, 1]).chunk(3).max_requeues(1);
    let results = builder.submit(&site.cluster).unwrap().try_results().unwrap();
    let well: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(
        well,
        [false, true, true],
        "the other calls of the element have values: {results:?}"
    );
}

/// Records each of its runs. The last element asks for a second run when the others run; they wait for that
/// run.
#[slurm::task(time = "5:00")]
fn note_runs(ctx: &JobContext, folder: &Path, n: u32, last: u32) -> Result<u32, Requeue> {
    crate::tasks::note(&folder.join(n.to_string()), "x");
    let has_run =
        |n: u32, times| fs::read(folder.join(n.to_string())).is_ok_and(|runs| runs.len() >= times);
    let goes_on = || if n == last { (0..n).all(|n| has_run(n, 1)) } else { has_run(last, 2) };
    while !goes_on() {
        std::thread::sleep(Duration::from_millis(5));
    }
    if n == last && ctx.restart_count() == 0 {
        Err(Requeue::new())
    } else {
        Ok(ctx.restart_count())
    }
}

fn only_the_element_that_asks_is_run_again(site: &Site) {
    let folder = site.path("runs");
    fs::create_dir(&folder).unwrap();
    // On Slurm the last element has the id of the array.
    let items = (0..3).map(|n| (folder.as_path(), n, 2));
    let array = note_runs::map(items).mem("256M").submit(&site.cluster).unwrap();
    assert_eq!(array.results().unwrap(), [0, 0, 1]);
    let runs = |n: u32| fs::read_to_string(folder.join(n.to_string())).unwrap();
    assert_eq!([runs(0), runs(1), runs(2)], ["x", "x", "xx"]);
}

/// Ignores the stop flag, and works in its first run for longer than its limit.
#[slurm::task(time = "5:00", on_timeout = "requeue")]
fn work_blindly_at(ctx: &JobContext, n: u32) -> u32 {
    if ctx.restart_count() == 0 && n > 0 {
        std::thread::sleep(Duration::from_secs(300));
    }
    ctx.restart_count()
}

fn an_element_without_requeues_left_has_timed_out(site: &Site) {
    let limit = match site.kind {
        BackendKind::Local => Duration::from_secs(20),
        _ => Duration::from_secs(60),
    };
    let builder = work_blindly_at::map([0, 1]).chunk(2).time(limit).max_requeues(0);
    let array = builder.submit(&site.cluster).unwrap();
    let error = match array.result(1) {
        Err(Error::Job(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(error.kind, JobErrorKind::TimedOut, "{error}");
    assert_eq!(array.result(0).unwrap(), 0);
}

/// The last process asks for another run in the first run, and also in the second if `again`.
#[slurm::task(time = "5:00", ntasks = 2)]
pub(crate) fn last_one_asks_at(ctx: &JobContext, again: bool) -> Result<u32, Requeue> {
    if ctx.rank() == 1 && (again || ctx.restart_count() == 0) {
        return Err(Requeue::because("the second process wants it"));
    }
    Ok(ctx.restart_count())
}

pub(crate) fn not_requeued<T: std::fmt::Debug>(result: &slurm::Result<T>) -> &str {
    match result {
        Err(Error::Job(error)) => match &error.kind {
            JobErrorKind::NotRequeued { reason } => reason,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn one_process_of_an_element_can_ask_for_a_requeue(site: &Site) {
    let builder = last_one_asks_at::map([false, true]).max_requeues(1);
    let results = builder.submit(&site.cluster).unwrap().try_results().unwrap();
    assert_eq!(results[0].as_ref().unwrap(), &1);
    let reason = not_requeued(&results[1]);
    assert!(reason.contains("`max_requeues` is 1"), "{reason}");
}

#[slurm::task(time = "5:00")]
fn fail_or_ask(ctx: &JobContext, asks: bool) -> anyhow::Result<u32> {
    anyhow::ensure!(asks, "not this one");
    if ctx.restart_count() == 0 {
        return Err(Requeue::new().into());
    }
    Ok(1)
}

fn an_element_has_failed_if_an_item_failed_in_an_earlier_run(site: &Site) {
    let array = fail_or_ask::map([false, true]).chunk(2).submit(&site.cluster).unwrap();
    let after = add::job(1, 2).after(&array).submit(&site.cluster).unwrap();
    let JobErrorKind::DependencyFailed { upstream } = kind_of(&after) else { panic!("it ran") };
    assert!(upstream[0].message.contains("not this one"), "{upstream:?}");
    assert_eq!(array.wait().unwrap().succeeded, 1);
}

#[derive(Debug, thiserror::Error)]
enum Mine {
    #[error("not yet")]
    Again(#[from] Requeue),
    #[error(transparent)]
    Other(#[from] std::io::Error),
}

#[slurm::task(on_timeout = "fail", max_requeues = 2)]
fn by_enum(ctx: &JobContext) -> Result<u32, Mine> {
    ctx.checkpoint_dir()?;
    if ctx.restart_count() == 0 { Err(Requeue::new())? } else { Ok(ctx.restart_count()) }
}

#[slurm::task]
fn by_anyhow(ctx: &JobContext) -> anyhow::Result<u32> {
    if ctx.restart_count() == 0 { Err(Requeue::new())? } else { Ok(ctx.restart_count()) }
}

#[slurm::task]
fn by_library(ctx: &JobContext) -> slurm::Result<u32> {
    if ctx.restart_count() == 0 { Err(Requeue::new())? } else { Ok(ctx.restart_count()) }
}

fn a_request_for_a_requeue_can_be_inside_any_error(site: &Site) {
    let jobs = [
        by_enum::job().submit(&site.cluster),
        by_anyhow::job().submit(&site.cluster),
        by_library::job().submit(&site.cluster),
    ];
    assert_eq!(jobs.map(|job| result_of(&job.unwrap())), [1, 1, 1]);
}

/// Ignores the stop flag, and works for a minute in its first run.
#[slurm::task(time = "5:00", on_timeout = "requeue")]
fn work_blindly(ctx: &JobContext) -> u32 {
    if ctx.restart_count() == 0 {
        std::thread::sleep(Duration::from_secs(60));
    }
    ctx.restart_count()
}

fn a_task_that_ignores_warnings_is_requeued_in_time(site: &Site) {
    // The job is requeued an eighth of the limit before it, which a loaded machine may need.
    let limit = Duration::from_secs(24);
    let job = work_blindly::job().time(limit).submit(&site.cluster).unwrap();
    let stubborn = work_blindly::job().time(limit).max_requeues(0).submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 1);
    assert!(matches!(kind_of(&stubborn), JobErrorKind::NotRequeued { .. }));
}

/// Waits for the file of its run and then asks for another run; the third run returns.
#[slurm::task]
fn step_by_step(ctx: &JobContext, folder: PathBuf) -> Result<u32, Requeue> {
    fs::write(folder.join(format!("started-{}", ctx.restart_count())), "").unwrap();
    while !folder.join(ctx.restart_count().to_string()).exists() {
        std::thread::sleep(Duration::from_millis(5));
    }
    if ctx.restart_count() < 2 { Err(Requeue::new()) } else { Ok(ctx.restart_count()) }
}

fn a_requeue_outlives_the_supervisor(site: &Site) {
    let folder = site.path("steps");
    fs::create_dir(&folder).unwrap();
    let job = step_by_step::job(folder.as_path()).submit(&site.cluster).unwrap();
    fs::write(folder.join("0"), "").unwrap();
    until("the second run has begun", || folder.join("started-1").exists());
    kill_supervisor(site);
    // The job asks for a requeue while no supervisor runs.
    fs::write(folder.join("1"), "").unwrap();
    let found = another_client(site).attach::<step_by_step>(job.handle()).unwrap();
    until("the third run has begun", || {
        let _ = found.state();
        folder.join("started-2").exists()
    });
    fs::write(folder.join("2"), "").unwrap();
    assert_eq!(result_of(&found), 2);
}

fn on_timeout_reports_options_that_contradict_it(site: &Site) {
    let problem =
        |call: slurm::JobBuilder<by_anyhow>| call.explain(&site.cluster).unwrap_err().to_string();
    let call = || by_anyhow::job().on_timeout(slurm::OnTimeout::Requeue);
    assert!(problem(call().no_requeue(true)).contains("remove `no_requeue`"));
    assert!(problem(call().signal("B:TERM@60")).contains("SIGUSR1 or SIGUSR2"));
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn runs_of_a_child(flow: &Workflow) -> slurm::Result<usize> {
    Ok(count_runs::job(3_usize).submit(flow)?.result()?.0.len())
}

fn a_slurmfile_limits_requeues(site: &Site) {
    let cluster = with_slurmfile(site, "[default.submit]\nmax_requeues = 1\n");
    let bounded = count_runs::job(3_usize).submit(&cluster).unwrap();
    let more = count_runs::job(3_usize).max_requeues(2).submit(&cluster).unwrap();
    let inside = runs_of_a_child::job().submit(&cluster).unwrap();
    let JobErrorKind::NotRequeued { reason } = kind_of(&bounded) else { panic!("requeued") };
    assert!(reason.contains('1'), "{reason}");
    assert_eq!(result_of(&more).0.len(), 3, "the call takes precedence over the Slurmfile");
    let JobErrorKind::Failed(failure) = kind_of(&inside) else { panic!("requeued") };
    assert!(
        failure.to_string().contains("count_runs"),
        "the limit holds for jobs of a workflow: {failure}"
    );
}

fn attribute_and_call_take_precedence_over_on_timeout_of_a_slurmfile(site: &Site) {
    let cluster = with_slurmfile(site, "[default.submit]\non_timeout = 'requeue'\ntime = '10'\n");
    let warned = |explanation: slurm::Result<slurm::Explanation>| {
        explanation.unwrap().options.iter().any(|option| option.key == "signal")
    };
    assert!(warned(by_anyhow::job().explain(&cluster)));
    assert!(
        !warned(by_anyhow::job().on_timeout(slurm::OnTimeout::Fail).explain(&cluster)),
        "the call takes precedence"
    );
    assert!(!warned(by_enum::job().explain(&cluster)), "the attribute takes precedence");
    assert!(
        !warned(by_anyhow::job().no_requeue(true).explain(&cluster)),
        "an option that excludes it takes precedence"
    );
    let text = "[default.submit]\non_timeout = 'requeue'\n[slow.submit]\non_timeout = 'fail'\n";
    let file = slurm::Slurmfile::parse(text, "Slurmfile").unwrap();
    let builder = site.builder().job_base_dir(site.base.path());
    let cluster = builder.environment(file.environment("slow").unwrap()).build().unwrap();
    assert!(
        !warned(by_anyhow::job().explain(&cluster)),
        "the environment takes precedence over the default"
    );
}
