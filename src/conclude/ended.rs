//! The error of a job that has ended and left no outcome.

use slurm_core::layout::JobDir;
use slurm_core::state::JobState;
use slurm_runner::exit;

use super::case::{Case, Entered, report};
use crate::backend::script::NOT_STARTED;
use crate::backend::{NO_ROOM, Sighting, Testimony};
use crate::error::{JobError, JobErrorKind, UpstreamFailure};
use crate::poll::{End, Verdict};

/// The note of a batch script that did not start the task.
#[derive(Debug)]
struct ScriptNote {
    /// The number of restarts of the job before this run.
    run: u32,
    reason: Option<String>,
}

impl ScriptNote {
    fn of(job: &dyn Case) -> Option<Self> {
        let element = job.place().map(|(index, _)| (job.id(), index));
        let path = JobDir::at(job.dir()).not_started(element);
        let bytes = job.backend().host().read(&path, 0).ok().flatten()?;
        let text = String::from_utf8_lossy(&bytes);
        let (run, reason) = text.split_once('\n').unwrap_or_default();
        let reason = Some(reason.trim_end()).filter(|reason| !reason.is_empty());
        // On a full disk the note is empty.
        Some(Self { run: run.parse().unwrap_or(u32::MAX), reason: reason.map(str::to_owned) })
    }
}

/// Returns the error of a job without a usable result file.
pub(crate) fn without_outcome(job: &dyn Case, verdict: &Verdict) -> JobError {
    match verdict {
        Verdict::Unreadable(reason) => {
            let kind = JobErrorKind::Corrupt { reason: format!("not readable: {reason}") };
            JobError { kind, job: report(job, None) }
        }
        Verdict::Ended(end) => ended(job, end),
        Verdict::Outcome(_) => ended(job, &End::Lost(Testimony::default())),
    }
}

/// Returns the error of a job that has ended without a result.
pub(crate) fn ended(job: &dyn Case, end: &End) -> JobError {
    let sighting = match end {
        End::Seen(sighting) => sighting,
        End::Lost(testimony) => {
            let kind = JobErrorKind::Lost { said: testimony.to_string() };
            return JobError { kind, job: report(job, None) };
        }
    };
    let reason = sighting.reason.as_deref().unwrap_or_default();
    let no_room = reason.strip_prefix(NO_ROOM).map(|reason| reason.trim_start_matches(": "));
    let in_vain = if no_room.is_none() { waited_in_vain(job, sighting) } else { None };
    let entered = if ends_by_itself(&sighting.state) { job.entered() } else { None };
    let refusal = if sighting.is_refusal() { ScriptNote::of(job) } else { None };
    // The task of the same run, or of a later one, may have ended with the script's exit code.
    let is_refusal = sighting.is_refusal()
        && entered.is_none_or(|entered| refusal.as_ref().is_some_and(|of| of.run > entered.run));
    let kind = match (&sighting.state, no_room, in_vain) {
        (_, _, Some(upstream)) => JobErrorKind::DependencyFailed { upstream },
        (JobState::Cancelled, Some(reason), _) => {
            JobErrorKind::WorkflowDeadlock { reason: reason.to_owned() }
        }
        (JobState::OutOfMemory, ..) => JobErrorKind::OutOfMemory,
        (JobState::Timeout | JobState::Deadline, ..) => JobErrorKind::TimedOut,
        (JobState::Cancelled | JobState::Revoked, ..) => JobErrorKind::Cancelled,
        (JobState::Preempted, ..) => JobErrorKind::Preempted,
        (JobState::NodeFail | JobState::BootFail, ..) => JobErrorKind::NodeFailed,
        _ if sighting.entered == Some(true) => JobErrorKind::Crashed,
        _ if entered.is_some() || !is_refusal && ended_after_start(sighting) => {
            JobErrorKind::Crashed
        }
        _ => JobErrorKind::NotStarted,
    };
    // The panic decides, whatever ended the process afterwards.
    let after_panic = match kind {
        JobErrorKind::Crashed | JobErrorKind::OutOfMemory | JobErrorKind::TimedOut => job.panic(),
        _ => None,
    };
    let mut job = report(job, Some(sighting));
    let has_crashed = kind == JobErrorKind::Crashed;
    job.began_before = has_crashed && (is_refusal || ended_before_task(sighting));
    job.is_code_of_task = has_crashed
        && !job.began_before
        && entered.zip(code_of(sighting)).is_some_and(|(entered, code)| is_of_task(entered, code));
    if let Some(failure) = after_panic {
        return JobError { kind: JobErrorKind::Failed(Box::new(failure)), job };
    }
    if is_refusal {
        // The script prints the reason in its last line; a logout may print more after it.
        let said = job.stderr_tail.lines().rev().find_map(|line| line.strip_prefix(NOT_STARTED));
        let noted = refusal.and_then(|refusal| refusal.reason);
        job.reason = noted.or(said.map(str::to_owned)).or(job.reason);
    }
    let ended_by_itself = matches!(kind, JobErrorKind::Crashed | JobErrorKind::NotStarted);
    let kind = if ended_by_itself && tells_of_memory(&job.stderr_tail) {
        JobErrorKind::OutOfMemory
    } else {
        kind
    };
    JobError { kind, job }
}

/// Returns whether the exit code alone proves that the runner had started. On a full disk there may be no other
/// proof.
fn ended_after_start(sighting: &Sighting) -> bool {
    code_of(sighting).is_some_and(exit::is_after_start)
}

/// Returns whether the exit code of the last run is of a runner that ended before it called the task. The task may
/// end its process with the same code, so the code counts only if the source knows that the task was not called.
fn ended_before_task(sighting: &Sighting) -> bool {
    sighting.entered == Some(false) && code_of(sighting).is_some_and(exit::is_before_task)
}

/// Returns whether a job in `state` has ended by itself, according to the state.
fn ends_by_itself(state: &JobState) -> bool {
    use JobState::{
        BootFail, Cancelled, Deadline, NodeFail, OutOfMemory, Preempted, Revoked, Timeout,
    };
    !matches!(
        state,
        OutOfMemory | Timeout | Deadline | Cancelled | Revoked | Preempted | NodeFail | BootFail
    )
}

/// Returns the exit code, if no signal ended the job.
fn code_of(sighting: &Sighting) -> Option<u8> {
    let exit = sighting.exit.filter(|exit| exit.signal == 0);
    exit.and_then(|exit| u8::try_from(exit.code).ok())
}

/// Returns whether the task itself has ended its process with `code`, which may also be one of the runner's
/// codes.
fn is_of_task(entered: Entered, code: u8) -> bool {
    match code {
        // These are also true for a process that ended by itself, or for an element.
        exit::EXITED | exit::STOPPED => false,
        // A runner that reached the task never ends with these.
        exit::SPEC | exit::UNKNOWN_TASK | exit::VERSION | exit::SETUP | exit::UNFIT => true,
        _ => entered.has_exited,
    }
}

/// Returns the failed dependencies if the job ended because of them. The accounting records such an end as a
/// cancellation, so the upstream jobs decide.
fn waited_in_vain(job: &dyn Case, sighting: &Sighting) -> Option<Vec<UpstreamFailure>> {
    let reason = sighting.reason.as_deref();
    let is_certain = matches!(reason, Some("DependencyNeverSatisfied" | "Dependency"));
    if !sighting.may_have_waited_in_vain() || !is_certain && job.entered().is_some() {
        return None;
    }
    let upstream = job.upstream();
    (is_certain || !upstream.is_empty()).then_some(upstream)
}

/// Returns whether Slurm wrote into the log that memory ran out. Without cgroups the job only shows as failed.
/// Source of the phrases: `slurmstepd/req.c`, `jobacct_gather.c` and `task_cgroup_memory.c`, 20.11 to 25.11.
fn tells_of_memory(stderr: &str) -> bool {
    let line_tells = |line: &str| {
        // From 25.05 on the lines do not begin with slurmstepd's name.
        let is_of_slurm = |line: &str| line.contains("error: ") && line.contains("StepId=");
        (line.starts_with("slurmstepd") || is_of_slurm(line))
            && ["exceeded memory limit", "oom-kill event", "oom_kill event"]
                .iter()
                .any(|words| line.contains(words))
    };
    stderr.lines().any(line_tells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slurms_lines_about_memory_are_recognised_in_every_release() {
        for line in [
            "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=12.batch.",
            "slurmstepd-n1: error: StepId=12.batch exceeded memory limit (1234 > 256), being killed",
            "[2026-11-28T12:00:00.000] error: Detected 1 oom_kill event in StepId=12.batch.",
            "error: StepId=12.batch exceeded memory limit (1234 > 256), being killed",
        ] {
            assert!(tells_of_memory(&format!("before\n{line}\n")), "{line}");
        }
        assert!(!tells_of_memory("my model exceeded memory limit\n"), "the task's own words");
    }
}
