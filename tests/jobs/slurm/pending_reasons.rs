//! The reasons of pending jobs.

use std::fs;
use std::process::Command;
use std::time::Duration;

use slurm::{Error, Job, JobState, Reason, Status, Warning};

use crate::common::{Site, result_of, until};
use crate::slurm::command_answers::wrapper;
use crate::tasks::{add, square, wait_for};
use crate::{logger, roles};

trials![
    slurm a_held_job_is_blocked_until_it_is_released,
    slurm a_job_over_a_limit_of_its_partition_is_blocked,
    slurm a_held_array_is_blocked,
    slurm a_warning_of_sbatch_is_a_warning_of_the_job,
    ssh a_warning_of_sbatch_is_a_warning_of_the_job,
    slurm the_status_of_a_running_job_has_node_start_and_limit,
    slurm a_wait_shows_the_error_of_squeue,
    slurm a_wait_shows_the_error_of_sacct,
    local the_status_of_a_pending_job_has_the_jobs_ahead,
];

/// Waits until a job has the wanted status.
fn status_of<T>(job: &Job<T>, wanted: impl Fn(&Status) -> bool) -> Status {
    let mut last = None;
    until("the job has the status", || {
        last = Some(job.status().unwrap());
        last.as_ref().is_some_and(&wanted)
    });
    last.unwrap()
}

fn a_held_job_is_blocked_until_it_is_released(site: &Site) {
    let job = add::job(20, 22).hold(true).submit(&site.cluster).unwrap();
    let status = status_of(&job, |status| status.reason.is_some());
    assert_eq!(status.state, JobState::Pending);
    let reason = status.blocked().unwrap();
    assert_eq!(reason.as_str(), "JobHeldUser");
    assert!(reason.advice().unwrap().contains("scontrol release"), "{reason:?}");
    let error = loop {
        // The first look at the queue may not have finished.
        match job.result_timeout(Duration::from_secs(2)) {
            Err(Error::StillRunning { known, .. }) if known.status.is_none() => {}
            other => break other.unwrap_err(),
        }
    };
    let text = error.to_string();
    assert!(text.contains("it is pending: JobHeldUser: it was submitted or put on hold"), "{text}");
    assert!(error.hint().unwrap().contains("scontrol release"), "{error:?}");
    site.cluster.command(["scontrol", "release", &job.id().to_string()]).unwrap();
    assert_eq!(result_of(&job), 42);
    let status = job.status().unwrap();
    assert_eq!((&status.state, status.blocked()), (&JobState::Completed, None));
    assert!(status.node.is_some() && status.started.is_some(), "{status:?}");
}

fn a_job_over_a_limit_of_its_partition_is_blocked(site: &Site) {
    let job = add::job(1, 2).partition("short").time("10").submit(&site.cluster).unwrap();
    let status = status_of(&job, |status| status.blocked().is_some());
    let reason = status.blocked().map(Reason::as_str);
    assert!(matches!(reason, Some("PartitionTimeLimit" | "PartitionConfig")), "{status:?}");
    assert_eq!(status.time_limit, Some(Duration::from_secs(600)));
    assert_eq!(job.warnings(), [Warning::Blocked(status.reason.unwrap())]);
    // A wait without progress output logs it.
    let told = || {
        let about = format!("add: job {} on ", job.id());
        let log = logger::logged();
        let lines = log.lines().filter(|line| line.starts_with("WARN") && line.contains(&about));
        lines.filter(|line| line.contains("it can never start")).count()
    };
    until("the wait has logged it", || {
        assert!(job.result_timeout(Duration::from_secs(1)).is_err());
        told() > 0
    });
    assert!(job.result_timeout(Duration::from_secs(7)).is_err());
    assert_eq!(told(), 1);
    job.cancel().unwrap();
    assert_eq!(job.wait().unwrap(), JobState::Cancelled);
    assert_eq!(job.warnings(), []);
}

fn a_held_array_is_blocked(site: &Site) {
    let array = square::map(0..5).hold(true).submit(&site.cluster).unwrap();
    until("the array is known to be held", || {
        array.refresh().unwrap();
        array
            .statuses()
            .unwrap()
            .iter()
            .any(|(status, count)| status.blocked().is_some() && *count == 5)
    });
    assert_eq!(array.status(3).unwrap().blocked().map(Reason::as_str), Some("JobHeldUser"));
    array.cancel().unwrap();
}

fn a_warning_of_sbatch_is_a_warning_of_the_job(site: &Site) {
    let call = add::job(20, 22).nodes("3").ntasks(2).ntasks_per_node(1);
    let job = call.submit(&site.cluster).unwrap();
    let [Warning::Sbatch(said)] = &job.warnings()[..] else { panic!("{:?}", job.warnings()) };
    // Newer releases write `warning`.
    let words = "arning: can't run 2 processes on 3 nodes, setting nnodes to 2";
    assert!(said.strip_prefix(['W', 'w']).is_some_and(|rest| rest == words), "{said}");
    let log = logger::logged();
    assert!(log.lines().any(|line| line.starts_with("WARN") && line.contains(said)), "{log}");
    job.cancel().unwrap();
    let call = square::map(0..2).nodes("3").ntasks(2).ntasks_per_node(1);
    let array = call.submit(&site.cluster).unwrap();
    assert_eq!(array.warnings(), [Warning::Sbatch(said.clone())]);
    array.cancel().unwrap();
    let plain = add::job(20, 22).submit(&site.cluster).unwrap();
    assert_eq!(plain.warnings(), []);
    plain.cancel().unwrap();
}

fn the_status_of_a_running_job_has_node_start_and_limit(site: &Site) {
    let go = site.path("go");
    let job = wait_for::job(go.as_path()).submit(&site.cluster).unwrap();
    let status = status_of(&job, |status| status.state == JobState::Running);
    assert!(status.started.unwrap().elapsed().unwrap() < Duration::from_secs(120), "{status:?}");
    assert_eq!(status.time_limit, Some(Duration::from_secs(300)));
    assert!(status.node.is_some() && status.expected_start.is_none(), "{status:?}");
    fs::write(go, "").unwrap();
    assert!(result_of(&job));
}

/// Waits in another process, with other commands before Slurm's, until the output is complete.
fn told_by(site: &Site, role: &str) -> String {
    let path = format!("{}:{}", site.path("wrappers").display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(std::env::current_exe().unwrap());
    roles::cast(&mut command, site, role, "");
    let output = command.env("PATH", path).env("SLURM_SDK_PROGRESS", "plain").output().unwrap();
    String::from_utf8(output.stderr).unwrap()
}

fn a_wait_shows_the_error_of_squeue(site: &Site) {
    let script = "echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1";
    wrapper(site, "squeue", script);
    let text = told_by(site, "wait-a-while");
    let told = "abort: the queue has not answered for ";
    assert!(text.contains(told), "{text}");
    assert!(
        text.contains(": squeue: slurm_load_jobs error: Unable to contact slurm controller"),
        "{text}"
    );
    let told = text.matches(": squeue: slurm_load_jobs error: ").count();
    assert_eq!(told, 1, "the error is shown once: {text}");
}

fn a_wait_shows_the_error_of_sacct(site: &Site) {
    wrapper(site, "squeue", "exit 0");
    wrapper(
        site,
        "sacct",
        "echo 'sacct: error: Problem talking to the database: Connection refused' >&2; exit 1",
    );
    let text = told_by(site, "wait-a-while");
    assert!(text.contains("abort: the accounting has not answered for "), "{text}");
    assert!(text.contains("Connection refused"), "{text}");
}

fn the_status_of_a_pending_job_has_the_jobs_ahead(site: &Site) {
    let go = site.path("go");
    let submit = || wait_for::job(go.as_path()).cpus_per_task(4).submit(&site.cluster).unwrap();
    let jobs: Vec<Job<bool>> = std::iter::repeat_with(submit).take(3).collect();
    let status = status_of(&jobs[2], |status| status.jobs_ahead == Some(1));
    assert_eq!(status.reason.as_ref().map(Reason::as_str), Some("Priority"), "{status:?}");
    assert!(status.to_string().ends_with("; 1 job starts before it"), "{status}");
    fs::write(go, "").unwrap();
    jobs.iter().for_each(|job| assert!(result_of(job)));
}
