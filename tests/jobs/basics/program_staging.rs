//! Staging of the program that jobs run, and its removal.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use slurm::{Cluster, JobErrorKind, Workflow};

use crate::common::{Site, kind_of, result_of, until};
use crate::ssh::cut_connections::small_program;
use crate::tasks::*;

trials![
    all a_staged_program_is_smaller_and_its_backtraces_have_lines,
    all staging_removes_programs_that_no_job_needs,
    all a_job_that_waits_for_weeks_finds_its_program,
    all a_job_of_a_workflow_elsewhere_finds_its_program,
];

const DAY: u64 = 24 * 3600;

fn age(path: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * DAY);
    fs::File::open(path).unwrap().set_modified(then).unwrap();
}

/// The folders of staged programs.
fn staged(site: &Site) -> Vec<PathBuf> {
    let names = fs::read_dir(site.path(".bin")).unwrap().map(|entry| entry.unwrap().path());
    names.filter(|path| path.file_name().unwrap().len() == 32).collect()
}

fn a_staged_program_is_smaller_and_its_backtraces_have_lines(site: &Site) {
    let job = panic_with::job("over".to_owned()).submit(&site.cluster).unwrap();
    let folders = staged(site);
    let program = fs::read_dir(&folders[0]).unwrap().next().unwrap().unwrap();
    let sizes = [program.metadata().unwrap(), fs::metadata("/proc/self/exe").unwrap()];
    let [lean, whole] = sizes.map(|metadata| metadata.len());
    assert!(lean < whole / 10 * 9, "{lean} of {whole} bytes are staged");
    let JobErrorKind::Failed(failure) = kind_of(&job) else { panic!("not a failure") };
    let backtrace = failure.backtrace.unwrap();
    let mut lines = backtrace.lines().skip_while(|line| !line.ends_with("panic_with"));
    let place = lines.nth(1).unwrap_or_default();
    assert!(place.contains("tests/jobs/support/tasks.rs:"), "{backtrace}");
}

/// Returns a cluster in the same place that uses another program with the same tasks.
fn other_cluster(site: &Site) -> Cluster {
    let builder = site.builder().job_base_dir(site.base.path());
    builder.runner_binary(small_program(site)).build().unwrap()
}

fn staging_removes_programs_that_no_job_needs(site: &Site) {
    result_of(&add::job(20, 22).submit(&site.cluster).unwrap());
    let used = staged(site);
    for n in 0..8_u64 {
        let folder = site.path(".bin").join(format!("{n:032x}"));
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("old"), "").unwrap();
        age(&folder, 10 + n);
    }
    assert_eq!(staged(site).len(), 9);
    assert_eq!(result_of(&add::job(1, 2).submit(&other_cluster(site)).unwrap()), 3);
    until("only a few are left", || staged(site).len() == 5);
    assert!(staged(site).contains(&used[0]), "it was used today");
    // No half-removed folder is left, and the remaining programs run.
    let hidden = |name: &str| name.starts_with('.');
    until("nothing is half-removed", || {
        !fs::read_dir(site.path(".bin"))
            .unwrap()
            .any(|entry| hidden(&entry.unwrap().file_name().to_string_lossy()))
    });
    assert_eq!(result_of(&add::job(3, 4).submit(&site.cluster).unwrap()), 7);
}

fn a_job_that_waits_for_weeks_finds_its_program(site: &Site) {
    waits_for_weeks(site, &site.cluster, site.base.path());
}

fn a_job_of_a_workflow_elsewhere_finds_its_program(site: &Site) {
    let parent = site.base.path().parent().unwrap();
    let dir = tempfile::Builder::new().prefix("slurm-sdk-test-").tempdir_in(parent).unwrap();
    let flow = Workflow::in_process(&site.cluster, dir.path()).unwrap();
    waits_for_weeks(site, flow.cluster(), &dir.path().join("tasks"));
}

/// Submits jobs whose directories are below `jobs_dir`, and lets weeks pass before they run.
fn waits_for_weeks(site: &Site, cluster: &Cluster, jobs_dir: &Path) {
    let go = site.path("go");
    let first = wait_for::job(go.as_path()).submit(cluster).unwrap();
    let job = add::job(20, 22).after(&first).submit(cluster).unwrap();
    let used = staged(site);
    // All files look as if they were submitted weeks ago, with much other work since then.
    for task in ["wait_for", "add"] {
        for submission in fs::read_dir(jobs_dir.join(task)).unwrap() {
            let submission = submission.unwrap().path();
            for entry in fs::read_dir(&submission).unwrap() {
                age(&entry.unwrap().path(), 20);
            }
            age(&submission, 20);
        }
    }
    age(&used[0], 20);
    for n in 0..8_u64 {
        let folder = site.path(".bin").join(format!("{n:032x}"));
        fs::create_dir(&folder).unwrap();
        age(&folder, 2 + n);
    }
    assert_eq!(result_of(&add::job(1, 2).submit(&other_cluster(site)).unwrap()), 3);
    // Of the five latest programs, four are older than a day; one is needed.
    until("others are removed", || staged(site).len() == 6);
    fs::write(&go, "").unwrap();
    assert!(result_of(&first));
    assert_eq!(result_of(&job), 42);
}
