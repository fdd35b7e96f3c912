//! Slurm's commands about this job.

use std::process::{Command, Stdio};
use std::time::Duration;

use slurm_core::backoff::Backoff;
use slurm_core::outcome::{Failure, FailureKind};

use crate::environment;

/// The number of calls of `scontrol requeue` while the answers leave its effect open. They take about three
/// minutes, enough to restart a controller.
const CALLS: u32 = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Returns the failure of a job that asked for another run and does not get it, for this reason.
pub(crate) fn refusal(reason: String) -> Failure {
    Failure::new(FailureKind::Requeue, reason)
}

/// Requeues the job.
///
/// An answer may leave open whether the job was requeued, and a killed scontrol gives none. Then squeue
/// decides. A job that squeue still shows as running is requeued again, which does no harm. If squeue does not
/// answer either, the request counts as done, and Slurm decides about the job.
///
/// # Errors
/// The refusal, if the job is not requeued.
pub(crate) fn requeue() -> Result<(), Failure> {
    let job = target().ok_or_else(|| refusal("it has no job id".to_owned()))?;
    let mut was_open = false;
    let mut runs_on = None;
    let mut backoff = Backoff::new(Duration::from_secs(1), LONGEST_PAUSE);
    for _ in 0..CALLS {
        let (words, open) = match call(&job)? {
            Answer::Done => return Ok(()),
            Answer::Killed => ("it was killed".to_owned(), true),
            Answer::Failed(words) => {
                let open = leaves_open(&words);
                (words, open)
            }
        };
        let state = state(&job).map(|(state, _)| state);
        if state.as_ref().is_some_and(|state| state != "RUNNING") {
            // The job was requeued, or has ended in another way meanwhile.
            return Ok(());
        }
        was_open |= open;
        // After an open answer, a refusal may be a consequence of the requeueing.
        if !open && (state.is_some() || !was_open) {
            return Err(refusal(format!("`scontrol requeue {job}` failed: {words}")));
        }
        runs_on = state.map(|_| words);
        backoff.pause();
    }
    match runs_on {
        Some(words) => Err(refusal(format!(
            "`scontrol requeue {job}` failed {CALLS} times, and Slurm still shows the job as running: {words}"
        ))),
        None => Ok(()),
    }
}

/// The result of a call of scontrol.
enum Answer {
    Done,
    Failed(String),
    /// A signal ended it. scontrol is one of the job's processes, so the end of the run is a possible cause,
    /// among others.
    Killed,
}

/// Returns whether a job that got SIGTERM is still running for Slurm, or has reached its time limit. Otherwise
/// it was cancelled, and `scontrol requeue` would start it again.
pub(crate) fn may_requeue() -> bool {
    let seen = target().and_then(|job| state(&job));
    seen.is_some_and(|(state, reason)| state == "RUNNING" || reason == "TimeLimit")
}

/// Calls `scontrol requeue`.
fn call(job: &str) -> Result<Answer, Failure> {
    let output = Command::new("scontrol")
        .args(["requeue", job])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| refusal(format!("cannot run `scontrol requeue {job}`: {error}")))?;
    Ok(match output.status.code() {
        Some(0) => Answer::Done,
        Some(_) => Answer::Failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        None => Answer::Killed,
    })
}

/// Returns the state of the job and its reason, if squeue answers.
fn state(job: &str) -> Option<(String, String)> {
    let output = Command::new("squeue")
        .args(["-h", "-o", "%T|%r", "-j", job])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let (state, reason) = text.trim().split_once('|')?;
    Some((state.to_owned(), reason.to_owned()))
}

/// Returns the name of this job for Slurm's commands. One element of an array has the id of the array itself,
/// which would mean the whole array.
fn target() -> Option<String> {
    let number = environment::number;
    match number("SLURM_ARRAY_JOB_ID").zip(number("SLURM_ARRAY_TASK_ID")) {
        Some((array, index)) => Some(format!("{array}_{index}")),
        None => Some(number("SLURM_JOB_ID")?.to_string()),
    }
}

/// Returns whether the effect of a failed command is open.
fn leaves_open(words: &str) -> bool {
    slurm_core::words::LEAVE_OPEN.iter().any(|phrase| words.contains(phrase))
}
