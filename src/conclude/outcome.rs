//! The error of a job that left an outcome without a value.

use slurm_core::codec::CodecError;
use slurm_core::frame::FrameError;
use slurm_core::outcome::{Failure, FailureKind};
use slurm_core::spec::ReadError;
use slurm_core::state::JobState;

use super::case::{Case, report};
use super::upstream::missing_item;
use crate::error::{JobError, JobErrorKind};

/// Returns the error of a job whose result file cannot be decoded.
pub(crate) fn unreadable(job: &dyn Case, error: &ReadError) -> JobError {
    let reason = error.to_string();
    let kind = match error {
        ReadError::Frame(FrameError::Version { .. }) => JobErrorKind::VersionMismatch { reason },
        _ => JobErrorKind::Corrupt { reason },
    };
    JobError { kind, job: report(job, None) }
}

/// Returns the error of a job whose function did not return a value, in this run if it is known.
pub(crate) fn failed(
    job: &dyn Case,
    failure: Failure,
    node: Option<&str>,
    run: Option<u32>,
) -> JobError {
    let mut report = report(job, None);
    report.state = Some(JobState::Failed);
    report.node = node.map(str::to_owned);
    if let Some(missing) = failure.missing {
        let upstream = vec![missing_item(job.backend(), *missing)];
        return JobError { kind: JobErrorKind::DependencyFailed { upstream }, job: report };
    }
    // Slurm may start a job although the result that it takes is missing.
    let without_argument = failure.kind == FailureKind::Argument;
    let upstream = if without_argument { job.upstream() } else { Vec::new() };
    if !upstream.is_empty() {
        return JobError { kind: JobErrorKind::DependencyFailed { upstream }, job: report };
    }
    let kind = match failure.kind {
        FailureKind::Signature | FailureKind::UnknownTask | FailureKind::Version => {
            JobErrorKind::VersionMismatch { reason: failure.message }
        }
        FailureKind::Requeue => JobErrorKind::NotRequeued { reason: failure.message },
        FailureKind::Exited => JobErrorKind::Crashed,
        FailureKind::Spec => {
            report.reason = Some(failure.message);
            let entered = run.and_then(|run| Some((job.entered()?, run)));
            report.began_before = entered.is_some_and(|(entered, run)| entered.run < run);
            if report.began_before { JobErrorKind::Crashed } else { JobErrorKind::NotStarted }
        }
        _ => JobErrorKind::Failed(Box::new(failure)),
    };
    JobError { kind, job: report }
}

/// Returns the error of a job whose result belongs to another task or has other types.
pub(crate) fn foreign(job: &dyn Case, task: &str) -> JobError {
    let expected = job.task();
    let reason = if task == expected {
        format!("`{task}` had other parameter or return types in the program that ran it")
    } else {
        format!("the result belongs to `{task}`, not to `{expected}`")
    };
    JobError { kind: JobErrorKind::VersionMismatch { reason }, job: report(job, None) }
}

/// Returns the error of a job whose value cannot be decoded.
pub(crate) fn undecodable(job: &dyn Case, error: &CodecError) -> JobError {
    let reason = format!("the value {error}");
    JobError { kind: JobErrorKind::VersionMismatch { reason }, job: report(job, None) }
}
