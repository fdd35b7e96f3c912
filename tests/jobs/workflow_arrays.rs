//! Arrays of workflows.

use std::fs;
use std::path::PathBuf;

use libtest_mimic::Trial;
use slurm::error::JobErrorKind;
use slurm::{Error, JobArray};

use crate::common::{PATIENCE, Site, kind_of, on_all, until};
use crate::tasks::wait_for;
use crate::workflow::{folder, hold, runs, subdir, sum_of_squares, with_need};

pub(crate) fn trials() -> Vec<Trial> {
    [
        on_all("arrays_of_workflows::each_submits_its_own_jobs", each_submits_its_own_jobs),
        on_all("arrays_of_workflows::one_that_is_tried_again_goes_on", one_goes_on),
        on_all("arrays_of_workflows::their_jobs_are_cancelled_with_them", their_jobs_are_cancelled),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn ended<T>(array: &JobArray<T>) -> [usize; 2] {
    let progress = array.wait_within(PATIENCE).unwrap();
    [progress.succeeded, progress.failed]
}

fn each_submits_its_own_jobs(site: &Site) {
    let folder = folder(site);
    let array = sum_of_squares::map([2, 3].map(|count| (folder.as_path(), count)));
    let array = array.submit(&site.cluster).unwrap();
    ended(&array);
    assert_eq!(array.results().unwrap(), [1, 5]);
    assert_eq!(runs(&folder), [2, 2, 1]);
    // One after the other, in one process.
    let array = sum_of_squares::map([1, 2].map(|count| (folder.as_path(), count))).chunk(2);
    let array = array.submit(&site.cluster).unwrap();
    ended(&array);
    assert_eq!(array.results().unwrap(), [0, 1]);
    assert_eq!(runs(&folder), [4, 3, 1]);
}

fn one_goes_on(site: &Site) {
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
    assert_eq!(runs(&folder), [2], "the job of each that had succeeded was not run again");
}

fn their_jobs_are_cancelled(site: &Site) {
    let never = site.path("never");
    let array = hold::map([(never.as_path(), 0); 2]).submit(&site.cluster).unwrap();
    let inner = |item: u32| -> Option<PathBuf> {
        let dir = subdir(&array.job_dir().join(format!("item-{item}/tasks/wait_for")))?;
        // A job may run before its id is noted.
        let is_there = |name| dir.join(name).exists();
        (is_there("events.jsonl") && is_there("submitted.json")).then_some(dir)
    };
    until("both inner jobs run", || inner(0).is_some() && inner(1).is_some());
    let job = |item| {
        let note = fs::read(inner(item).unwrap().join("submitted.json")).unwrap();
        let note: serde_json::Value = serde_json::from_slice(&note).unwrap();
        site.cluster.attach::<wait_for>(note["job_id"].to_string().as_str()).unwrap()
    };
    let jobs = [job(0), job(1)];
    array.cancel_items([0]).unwrap();
    assert_eq!(kind_of(&jobs[0]), JobErrorKind::Cancelled);
    assert!(
        jobs[1]
            .result_within(std::time::Duration::ZERO)
            .is_err_and(|error| { matches!(error, Error::StillRunning { .. }) })
    );
    array.cancel().unwrap();
    assert_eq!(kind_of(&jobs[1]), JobErrorKind::Cancelled);
    assert_eq!(ended(&array), [0, 2]);
}
