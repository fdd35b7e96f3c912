//! Submitting from `#[test]` functions, whose program cannot run its own tasks.

use std::time::{Duration, Instant};

use slurm::{Cluster, Error};

#[slurm::task]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

#[test]
fn a_job_of_a_test_harness_is_refused_at_once() {
    slurm::init().unwrap();
    let base = tempfile::tempdir().unwrap();
    let builder = || Cluster::builder().job_base_dir(base.path());
    let cluster = builder().backend(slurm::BackendKind::Local).build().unwrap();
    let began = Instant::now();
    let error = add::job(1, 2).submit(&cluster).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(matches!(error, Error::TestHarness), "{error}");
    assert!(error.hint().unwrap().contains("harness = false"));
    assert!(matches!(add::map([(1, 2)]).submit(&cluster).unwrap_err(), Error::TestHarness));
    assert_eq!(std::fs::read_dir(base.path()).unwrap().count(), 0, "nothing was written");
    // A program that submits nothing works.
    assert_eq!(add::job(1, 2).explain(&cluster).unwrap().task, "harness::add");
    assert_eq!(add(1, 2), 3);
}
