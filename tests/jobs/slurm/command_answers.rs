//! Behaviour of a real Slurm alone, and failures of its commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Instant;

use slurm::error::{JobErrorKind, Refusal, SubmitError};
use slurm::{Error, Job};

use crate::common::{Site, error_of, result_of};
use crate::roles;
use crate::tasks::*;

trials![
    slurm a_refusal_has_sbatchs_message,
    slurm a_job_over_its_memory_is_out_of_memory,
    slurm a_time_limit_ends_a_job,
    slurm a_lost_answer_of_sbatch_leads_to_one_job,
    slurm a_wrapper_that_fails_after_sbatch_leads_to_one_job,
    slurm a_result_is_found_while_squeue_hangs,
    slurm an_outage_of_squeue_does_not_end_a_wait,
    slurm a_banner_does_not_hide_the_id,
    slurm a_hundred_jobs_cost_as_many_polls_as_one,
    slurm a_job_gets_its_gpu,
    slurm an_option_that_this_slurm_lacks_is_refused,
    slurm a_reached_limit_is_named,
];

fn a_refusal_has_sbatchs_message(site: &Site) {
    let refusal = |error: Error| match error {
        Error::Submit(SubmitError::Refused { refusal, message, .. }) => (refusal, message),
        other => panic!("{other:?}"),
    };
    let partition = add::job(1, 2).partition("nosuch").submit(&site.cluster).unwrap_err();
    assert!(partition.hint().unwrap().contains("sinfo"));
    let (kind, message) = refusal(partition);
    assert_eq!(kind, Refusal::Partition);
    assert!(message.contains("Invalid partition name specified"), "{message}");
    let nodes = add::job(1, 2).constraint("nosuch").submit(&site.cluster).unwrap_err();
    assert_eq!(refusal(nodes).0, Refusal::Nodes);
    let account = add::job(1, 2).account("nosuch").submit(&site.cluster).unwrap_err();
    assert_eq!(refusal(account).0, Refusal::Account);
    let flag = add::job(1, 2).extra_flag("--no-such-flag").submit(&site.cluster).unwrap_err();
    assert_eq!(refusal(flag).0, Refusal::Option);
    assert!(site.submissions().is_empty(), "no directory of a refused job is left");
}

fn a_job_over_its_memory_is_out_of_memory(site: &Site) {
    let job = take_memory::job(400_usize, 30_u64).mem("50M").submit(&site.cluster).unwrap();
    let error = error_of(&job);
    assert_eq!(error.kind, JobErrorKind::OutOfMemory, "{error}");
    assert!(error.hint().unwrap().contains("mem"));
}

fn a_time_limit_ends_a_job(site: &Site) {
    let job = wait_for::job(site.path("never")).time("1").submit(&site.cluster).unwrap();
    let error = loop {
        match job.result_timeout(crate::common::PATIENCE) {
            Err(Error::Job(error)) => break error,
            // Slurm checks time limits about every half minute.
            Err(Error::StillRunning { .. }) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(error.kind, JobErrorKind::TimedOut, "{error}");
}

/// Returns a directory with programs that take the place of Slurm's own and call them.
pub(crate) fn wrapper(site: &Site, program: &str, script: &str) -> PathBuf {
    let dir = site.path("wrappers");
    fs::create_dir_all(&dir).unwrap();
    let real = which(program);
    let path = dir.join(program);
    let text = format!(
        "#!/bin/sh\nreal={}\nlog={}\n{script}\n",
        real.display(),
        site.path("calls").display()
    );
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

fn which(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.exists()).unwrap()
}

pub(crate) fn with_wrappers(site: &Site, role: &str, dir: &std::path::Path) -> String {
    roles::run(site, role, "", |command| {
        let path = format!("{}:{}", dir.display(), std::env::var("PATH").unwrap());
        command.env("PATH", path);
    })
}

fn a_lost_answer_of_sbatch_leads_to_one_job(site: &Site) {
    let script = "\"$real\" \"$@\" > /dev/null\n\
                  echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2\n\
                  exit 1";
    let dir = wrapper(site, "sbatch", script);
    assert_eq!(with_wrappers(site, "add", &dir), "Ok(42)");
    assert_eq!(site.submissions().len(), 1);
}

fn a_wrapper_that_fails_after_sbatch_leads_to_one_job(site: &Site) {
    let dir =
        wrapper(site, "sbatch", "\"$real\" \"$@\"; echo 'warning: logging failed' >&2; exit 1");
    assert_eq!(with_wrappers(site, "add", &dir), "Ok(42)");
    let dir = wrapper(site, "sbatch", "\"$real\" \"$@\" > /dev/null; kill -9 $$");
    assert_eq!(with_wrappers(site, "add", &dir), "Ok(42)");
    assert_eq!(site.submissions().len(), 2);
}

fn a_result_is_found_while_squeue_hangs(site: &Site) {
    let (dir, over) = hanging_queue(site);
    assert_eq!(with_wrappers(site, "add", &dir), "Ok(42)");
    assert_still_hangs(site);
    fs::write(over, "").unwrap();
}

/// Returns a directory with a squeue that hangs until a file exists, and the path of the file.
pub(crate) fn hanging_queue(site: &Site) -> (PathBuf, PathBuf) {
    let over = site.path("over");
    // The loop is bounded, in case the test fails.
    let script = format!(
        "echo began >> \"$log\"\nn=0\n\
         while [ ! -e {} ] && [ $n -lt 600 ]; do sleep 0.5; n=$((n + 1)); done\n\
         echo ended >> \"$log\"",
        over.display()
    );
    (wrapper(site, "squeue", &script), over)
}

/// Asserts that squeue has not answered yet.
pub(crate) fn assert_still_hangs(site: &Site) {
    let calls = fs::read_to_string(site.path("calls")).unwrap_or_default();
    assert!(!calls.contains("ended"), "squeue has answered: {calls}");
}

/// Returns how many calls of squeue and sacct one poller may have made since `began`: two each half second, and
/// some more.
pub(crate) fn most_polls(began: Instant) -> usize {
    4 * began.elapsed().as_secs() as usize + 10
}

fn a_banner_does_not_hide_the_id(site: &Site) {
    let dir = wrapper(site, "sbatch", "echo 'Welcome! 12 days to go'; \"$real\" \"$@\"; echo bye");
    assert_eq!(with_wrappers(site, "add", &dir), "Ok(42)");
    // Lines that are only a number, before and after the line of sbatch.
    let dir =
        wrapper(site, "sbatch", "echo 7; \"$real\" \"$@\" || exit; echo 'days left:'; echo 12");
    assert_eq!(with_wrappers(site, "add", &dir), "Ok(42)");
    for dir in site.submissions() {
        let note = fs::read_to_string(dir.join("submitted.json")).unwrap();
        let id: String = note.chars().filter(char::is_ascii_digit).collect();
        assert!(
            dir.join(format!("slurm-{id}.out")).exists(),
            "the note has the id of another job: {note}"
        );
    }
    assert_eq!(site.submissions().len(), 2);
}

fn an_outage_of_squeue_does_not_end_a_wait(site: &Site) {
    // squeue and sacct fail a few times, while the job ends without a result.
    let script = "echo x >> \"$log\"\n\
                  if [ $(wc -l < \"$log\") -le 4 ]; then\n\
                  echo 'slurm_load_jobs error: Unable to contact slurm controller (connect failure)' >&2; exit 1; fi\n\
                  exec \"$real\" \"$@\"";
    let dir = wrapper(site, "squeue", script);
    wrapper(site, "sacct", script);
    let answer = with_wrappers(site, "exit", &dir);
    assert!(answer.contains("ended without a result, with exit code 9"), "{answer}");
}

fn a_hundred_jobs_cost_as_many_polls_as_one(site: &Site) {
    let script = "echo x >> \"$log\"\nexec \"$real\" \"$@\"";
    let dir = wrapper(site, "squeue", script);
    wrapper(site, "sacct", script);
    let began = Instant::now();
    let answer = with_wrappers(site, "hundred", &dir);
    assert_eq!(answer, "4950");
    let calls = fs::read_to_string(site.path("calls")).unwrap_or_default().lines().count();
    let most = most_polls(began);
    assert!(calls <= most, "{calls} calls of squeue and sacct, at most {most} for a single job");
}

fn a_job_gets_its_gpu(site: &Site) {
    let job: Job<Option<String>> =
        variable::job("CUDA_VISIBLE_DEVICES").gpus("a100:1").submit(&site.cluster).unwrap();
    assert!(matches!(result_of(&job).as_deref(), Some("0" | "1")));
    let refused = variable::job("X").gpus("h100:1").submit(&site.cluster).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::Submit(SubmitError::Refused { refusal: Refusal::Gres | Refusal::Nodes, .. })
        ),
        "{refused:?}"
    );
}

fn an_option_that_this_slurm_lacks_is_refused(site: &Site) {
    // One option came with 24.05 and one was removed with it, so every Slurm lacks one of the two.
    let newer = add::job(1, 2).segment(1).submit(&site.cluster);
    let removed = add::job(1, 2).power("level").submit(&site.cluster);
    let refused = |result: &slurm::Result<Job<i64>>| match result {
        Err(Error::Options { problems }) => problems[0].to_string().contains("this cluster has"),
        _ => false,
    };
    assert!(refused(&newer) != refused(&removed), "{newer:?} {removed:?}");
}

fn a_reached_limit_is_named(site: &Site) {
    let submit = || wait_for::job(site.path("never")).qos("limited").submit(&site.cluster);
    let jobs: Vec<_> = std::iter::repeat_with(submit).take(3).collect();
    let Some(Err(Error::Submit(SubmitError::Refused { refusal, limit, .. }))) = jobs.last() else {
        panic!("{jobs:?}")
    };
    assert_eq!((*refusal, limit.as_deref()), (Refusal::Limit, Some("QOSMaxSubmitJobPerUserLimit")));
    jobs.iter().flatten().for_each(|job| job.cancel().unwrap());
}
