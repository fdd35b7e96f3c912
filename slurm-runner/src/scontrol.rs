//! What Slurm's commands say and do about this job.

use std::process::{Command, Stdio};
use std::time::Duration;

use slurm_core::backoff::Backoff;
use slurm_core::outcome::{Failure, FailureKind};

use crate::environment;

/// How often `scontrol requeue` is called while the answers leave open what came of it: for about three
/// minutes, in which a controller is restarted.
const CALLS: u32 = 10;
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Returns the failure of a job that asked to be run again and is not, for this reason.
pub(crate) fn refusal(reason: String) -> Failure {
    Failure::new(FailureKind::Requeue, reason)
}

/// Puts the job back into the queue.
///
/// After an answer that leaves open whether the job was requeued, also after none because scontrol was
/// killed, squeue tells; a job that it still shows as running is requeued once more, which does no harm. If
/// squeue does not answer either, the request counts as done, and Slurm decides how the job goes on.
///
/// # Errors
/// The refusal, if the job stays as it is.
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
            // Requeued, or ended in another way meanwhile.
            return Ok(());
        }
        was_open |= open;
        // After an open answer, a refusal may come from the requeueing itself.
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
    /// It ended by a signal. It is one of the job's processes, so that may be the end of the job's run, but
    /// also anything else.
    Killed,
}

/// Returns whether a job that got SIGTERM runs on as far as Slurm is concerned, or is out of time.
/// `scontrol requeue` would bring back one that was cancelled, too.
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

/// Returns the state of the job and its reason, if squeue knows.
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

/// What Slurm's commands call this job. One of the elements of an array has the array's own id, and by that
/// the whole array would be meant.
fn target() -> Option<String> {
    let number = environment::number;
    match number("SLURM_ARRAY_JOB_ID").zip(number("SLURM_ARRAY_TASK_ID")) {
        Some((array, index)) => Some(format!("{array}_{index}")),
        None => Some(number("SLURM_JOB_ID")?.to_string()),
    }
}

/// Returns whether a command failed in a way after which what it asked for may have been done.
fn leaves_open(words: &str) -> bool {
    slurm_core::words::LEAVE_OPEN.iter().any(|phrase| words.contains(phrase))
}
