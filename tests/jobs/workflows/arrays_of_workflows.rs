//! Arrays of workflows.

use std::fs;
use std::path::Path;
use std::time::Duration;

use slurm::error::JobErrorKind;
use slurm::{Error, Job, JobArray, Workflow};

use crate::common::{PATIENCE, Site, kind_of, until};
use crate::tasks::wait_for;
use crate::workflows::jobs_of_workflows::{folder, hold, runs, subdir, sum_of_squares, with_need};

trials![
    both a_job_submitted_at_the_end_of_a_retried_workflow_is_cancelled,
    both a_retried_workflow_outlives_its_first_element,
    all each_workflow_of_an_array_submits_its_own_jobs,
    all a_retried_workflow_continues_its_journal,
    all jobs_of_workflows_are_cancelled_with_the_array,
];

fn ended<T>(array: &JobArray<T>) -> [usize; 2] {
    let progress = array.wait_timeout(PATIENCE).unwrap();
    [progress.succeeded, progress.failed]
}

fn each_workflow_of_an_array_submits_its_own_jobs(site: &Site) {
    let folder = folder(site);
    let array = sum_of_squares::map([2, 3].map(|count| (folder.as_path(), count)));
    let array = array.submit(&site.cluster).unwrap();
    ended(&array);
    assert_eq!(array.results().unwrap(), [1, 5]);
    assert_eq!(runs(&folder), [2, 2, 1]);
    // The two calls run one after the other, in one process.
    let array = sum_of_squares::map([1, 2].map(|count| (folder.as_path(), count))).chunk(2);
    let array = array.submit(&site.cluster).unwrap();
    ended(&array);
    assert_eq!(array.results().unwrap(), [0, 1]);
    assert_eq!(runs(&folder), [4, 3, 1]);
}

fn a_retried_workflow_continues_its_journal(site: &Site) {
    let (folder, there, missing) = (folder(site), site.path("there"), site.path("missing"));
    fs::write(&there, "").unwrap();
    let items = [&there, &missing].map(|file| (folder.as_path(), file.as_path()));
    let array = with_need::map(items).submit(&site.cluster).unwrap();
    assert_eq!(ended(&array), [1, 1]);
    match array.result(1) {
        Err(Error::Job(error)) => assert!(error.to_string().contains("is missing"), "{error}"),
        other => panic!("{other:?}"),
    }
    fs::write(&missing, "").unwrap();
    assert_eq!(array.retry_failed().unwrap(), 1);
    assert_eq!(ended(&array), [2, 0]);
    assert_eq!(array.results().unwrap(), [100, 100]);
    assert_eq!(runs(&folder), [2], "jobs that had succeeded were not run again");
}

/// Returns the job that waits for a file in the item of the array in `dir`, when it is submitted.
fn inner_job(site: &Site, dir: &Path, item: u32) -> Job<bool> {
    let tasks = dir.join(format!("item-{item}/tasks/wait_for"));
    let note = || fs::read(subdir(&tasks)?.join("submitted.json")).ok();
    until("the inner job is submitted", || note().is_some());
    let note: serde_json::Value = serde_json::from_slice(&note().unwrap()).unwrap();
    site.cluster.attach::<wait_for>(note["job_id"].to_string().as_str()).unwrap()
}

/// Returns that job when it runs.
fn running_job(site: &Site, dir: &Path, item: u32) -> Job<bool> {
    let job = inner_job(site, dir, item);
    until("the inner job runs", || job.job_dir().join("events.jsonl").exists());
    job
}

fn still_runs(job: &Job<bool>) -> bool {
    matches!(job.result_timeout(Duration::ZERO), Err(Error::StillRunning { .. }))
}

fn jobs_of_workflows_are_cancelled_with_the_array(site: &Site) {
    let never = site.path("never");
    let array = hold::map([(never.as_path(), 0); 2]).submit(&site.cluster).unwrap();
    let jobs = [0, 1].map(|item| running_job(site, array.job_dir(), item));
    array.cancel_items([0]).unwrap();
    assert_eq!(kind_of(&jobs[0]), JobErrorKind::Cancelled);
    assert!(still_runs(&jobs[1]));
    array.cancel().unwrap();
    assert_eq!(kind_of(&jobs[1]), JobErrorKind::Cancelled);
    assert_eq!(ended(&array), [0, 2]);
}

/// Fails at its first call with this marker. Later submits a job when it is asked to stop.
#[slurm::workflow(time = "10:00", mem = "256M")]
fn last_act(flow: &Workflow, marker: &Path, never: &Path) -> anyhow::Result<bool> {
    if !marker.exists() {
        fs::write(marker, "")?;
        anyhow::bail!("not the first time");
    }
    while !flow.context().stop_requested() {
        fs::write(marker.with_extension("again"), "")?;
        std::thread::sleep(Duration::from_millis(5));
    }
    // Long enough that a cancellation without a wait would miss the job.
    std::thread::sleep(Duration::from_millis(500));
    Ok(wait_for::job(never).submit(flow).is_ok())
}

#[slurm::workflow(time = "10:00", mem = "256M")]
fn tries_again(flow: &Workflow, marker: &Path, never: &Path) -> slurm::Result<Vec<bool>> {
    let array = last_act::map([(marker, never)]).submit(flow)?;
    array.wait()?;
    array.retry_failed()?;
    array.results()
}

fn a_job_submitted_at_the_end_of_a_retried_workflow_is_cancelled(site: &Site) {
    let marker = site.path("marker");
    let job = tries_again::job(marker.as_path(), site.path("never"));
    let job = job.submit(&site.cluster).unwrap();
    until("it runs again", || marker.with_extension("again").exists());
    job.cancel().unwrap();
    let arrays = fs::read_dir(job.job_dir().join("tasks/last_act")).unwrap().flatten();
    // The second attempt uses the directory of the first.
    let first = arrays.map(|dir| dir.path()).find(|dir| dir.join("item-0").exists()).unwrap();
    let inner = inner_job(site, &first, 0);
    assert_eq!(kind_of(&inner), JobErrorKind::Cancelled);
}

/// Fails at its first call with this marker. Later has a job that waits for a file.
#[slurm::workflow(time = "10:00", mem = "256M")]
fn hold_later(flow: &Workflow, marker: &Path, never: &Path) -> anyhow::Result<bool> {
    if !marker.exists() {
        fs::write(marker, "")?;
        anyhow::bail!("not the first time");
    }
    Ok(wait_for::job(never).submit(flow)?.result()?)
}

fn a_retried_workflow_outlives_its_first_element(site: &Site) {
    let (there, gate) = (site.path("there"), site.path("gate"));
    fs::write(&there, "").unwrap();
    let items = [(site.path("marker"), gate.clone()), (there, site.path("never"))];
    // The two calls run one after the other, in one element.
    let array = hold_later::map(items).chunk(2).submit(&site.cluster).unwrap();
    until("the first has failed", || array.refresh().unwrap().failed == 1);
    let second = running_job(site, array.job_dir(), 1);
    assert_eq!(array.retry_failed().unwrap(), 1);
    running_job(site, array.job_dir(), 0);
    array.cancel_items([1]).unwrap();
    assert_eq!(kind_of(&second), JobErrorKind::Cancelled);
    fs::write(&gate, "").unwrap();
    assert_eq!(ended(&array), [1, 1]);
    assert!(array.result(0).unwrap(), "its job belongs to another element now");
}
