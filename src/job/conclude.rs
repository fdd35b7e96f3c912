//! From what was found to what is told.

use slurm_core::codec::CodecError;
use slurm_core::events::{Event, EventKind};
use slurm_core::frame::FrameError;
use slurm_core::layout::JobDir;
use slurm_core::options::DependencyKind;
use slurm_core::outcome::{Ending, Failure, FailureKind, Outcome, RunReport};
use slurm_core::spec::ReadError;
use slurm_core::state::JobState;

use super::Job;
use crate::backend::Sighting;
use crate::edges::Edge;
use crate::error::{JobError, JobErrorKind, JobReport, UpstreamFailure};
use crate::poll::Verdict;

/// The state that a verdict amounts to.
pub(super) fn state_of(verdict: &Verdict) -> JobState {
    match verdict {
        Verdict::Outcome(bytes) => match Outcome::from_bytes(bytes) {
            Ok((Outcome { ending: Ending::Value(_), .. }, _)) => JobState::Completed,
            _ => JobState::Failed,
        },
        Verdict::Ended(sighting) => sighting.state.clone(),
        Verdict::Unreadable(_) => JobState::Failed,
        Verdict::Lost => JobState::Unknown("LOST".to_owned()),
    }
}

/// The error of a job that left no result file.
pub(super) fn without_outcome<T>(job: &Job<T>, verdict: &Verdict) -> JobError {
    let sighting = match verdict {
        Verdict::Ended(sighting) => sighting,
        Verdict::Unreadable(reason) => {
            let kind = JobErrorKind::Corrupt { reason: format!("not readable: {reason}") };
            return JobError { kind, job: report(job, None) };
        }
        _ => return JobError { kind: JobErrorKind::Lost, job: report(job, None) },
    };
    let kind = match &sighting.state {
        _ if sighting.waits_in_vain() => JobErrorKind::DependencyFailed { upstream: upstream(job) },
        JobState::OutOfMemory => JobErrorKind::OutOfMemory,
        JobState::Timeout | JobState::Deadline => JobErrorKind::TimedOut,
        JobState::Cancelled if sighting.reason.as_deref() == Some("DependencyNeverSatisfied") => {
            JobErrorKind::DependencyFailed { upstream: upstream(job) }
        }
        JobState::Cancelled | JobState::Revoked => JobErrorKind::Cancelled,
        JobState::Preempted => JobErrorKind::Preempted,
        JobState::NodeFail | JobState::BootFail => JobErrorKind::NodeFailed,
        _ if started(job) => JobErrorKind::Died,
        _ => JobErrorKind::NotStarted,
    };
    let job = report(job, Some(sighting));
    let ended_by_itself = matches!(kind, JobErrorKind::Died | JobErrorKind::NotStarted);
    let kind = if ended_by_itself && tells_of_memory(&job.stderr_tail) {
        JobErrorKind::OutOfMemory
    } else {
        kind
    };
    JobError { kind, job }
}

/// The jobs that this one waited for in vain, with what became of each.
fn upstream<T>(job: &Job<T>) -> Vec<UpstreamFailure> {
    let Ok(explanation) = job.explain() else { return Vec::new() };
    let backend = job.cluster().backend();
    let of_edge = |edge: &Edge| {
        let result = backend.host().read(&JobDir::at(&edge.dir).result(), 0).ok().flatten();
        let outcome =
            result.and_then(|bytes| Outcome::from_bytes(&bytes).ok().map(|(outcome, _)| outcome));
        let failed = match outcome.map(|outcome| outcome.ending) {
            Some(Ending::Failure(failure)) => Some(format!("failed: {failure}")),
            Some(Ending::Value(_)) => None,
            None => {
                let seen = backend
                    .survey(&[edge.job])
                    .ok()
                    .and_then(|mut survey| survey.seen.remove(&edge.job));
                seen.filter(Sighting::is_end).map(|seen| format!("ended as {}", seen.state))
            }
        };
        let needed_failure = edge.kind == DependencyKind::AfterNotOk.as_str();
        let message =
            if needed_failure { failed.is_none().then(|| "succeeded".to_owned()) } else { failed };
        message.map(|message| UpstreamFailure { job: edge.job, task: edge.task.clone(), message })
    };
    explanation.after.iter().filter_map(of_edge).collect()
}

/// Whether Slurm wrote into the log that memory ran out. Without cgroups the job only shows as failed.
/// Source of the phrases: `slurmstepd/req.c`, `jobacct_gather.c` and `task_cgroup_memory.c`, 20.11 to 25.11.
fn tells_of_memory(stderr: &str) -> bool {
    let line_tells = |line: &str| {
        line.starts_with("slurmstepd")
            && ["exceeded memory limit", "oom-kill event", "oom_kill event"]
                .iter()
                .any(|words| line.contains(words))
    };
    stderr.lines().any(line_tells)
}

/// The error of a job whose result file is no outcome.
pub(super) fn unreadable<T>(job: &Job<T>, error: &ReadError) -> JobError {
    let reason = error.to_string();
    let kind = match error {
        ReadError::Frame(FrameError::Version { .. }) => JobErrorKind::VersionMismatch { reason },
        _ => JobErrorKind::Corrupt { reason },
    };
    JobError { kind, job: report(job, None) }
}

/// The error of a job whose function did not return a value.
pub(super) fn failed<T>(job: &Job<T>, failure: Failure, run: &RunReport) -> JobError {
    let mut report = report(job, None);
    report.state = Some(JobState::Failed);
    report.node = Some(run.node.clone());
    let kind = match failure.kind {
        FailureKind::Signature | FailureKind::UnknownTask | FailureKind::Version => {
            JobErrorKind::VersionMismatch { reason: failure.message }
        }
        FailureKind::Spec => JobErrorKind::Corrupt { reason: failure.message },
        _ => JobErrorKind::Failed(Box::new(failure)),
    };
    JobError { kind, job: report }
}

/// The error of a job whose result is of another task or of other types.
pub(super) fn foreign<T>(job: &Job<T>, task: &str) -> JobError {
    let expected = &job.handle.task;
    let reason = if task == expected {
        format!("`{task}` had other parameter or return types in the program that ran it")
    } else {
        format!("the result is one of `{task}`, not of `{expected}`")
    };
    JobError { kind: JobErrorKind::VersionMismatch { reason }, job: report(job, None) }
}

/// The error of a job whose value cannot be decoded.
pub(super) fn undecodable<T>(job: &Job<T>, error: &CodecError) -> JobError {
    let reason = format!("the value {error}");
    JobError { kind: JobErrorKind::VersionMismatch { reason }, job: report(job, None) }
}

fn report<T>(job: &Job<T>, sighting: Option<&Sighting>) -> JobReport {
    let exit = sighting.and_then(|sighting| sighting.exit);
    JobReport {
        id: job.id(),
        pre_id: job.pre_id().clone(),
        task: job.handle.task.clone(),
        state: sighting.map(|sighting| sighting.state.clone()),
        node: sighting.and_then(|sighting| sighting.nodes.clone()),
        exit_code: exit.map(|exit| exit.code),
        signal: exit.map(|exit| exit.signal).filter(|signal| *signal != 0),
        reason: sighting.and_then(|sighting| sighting.reason.clone()),
        stderr_tail: tail(&job.stderr_end().unwrap_or_default()),
        dir: job.handle.dir.clone(),
    }
}

/// Whether the diary says that the runner got as far as the task.
fn started<T>(job: &Job<T>) -> bool {
    job.events().iter().any(|event: &Event| matches!(event.event, EventKind::Started { .. }))
}

/// The last twenty lines.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
