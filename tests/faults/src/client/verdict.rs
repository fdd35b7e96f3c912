//! The end of a call, as a client saw it.

use serde::{Deserialize, Serialize};
use slurm::{Error, JobErrorKind, SubmitError};

/// A value, or an error with its kind and text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Value(i64),
    Error {
        kind: Kind,
        text: String,
        /// The exit code of the job's process, if the error has one.
        exit_code: Option<i32>,
        signal: Option<i32>,
    },
}

/// The kinds of errors that the judge distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    Failed,
    Crashed,
    NotStarted,
    TimedOut,
    Cancelled,
    NotRequeued,
    NodeFailed,
    DependencyFailed,
    Lost,
    Corrupt,
    /// The result has another version or other types.
    Mismatch,
    Preempted,
    OtherEnd,
    /// The submission was refused: there is no job.
    Refused,
    /// The submission failed, and there is no job.
    NoJob,
    /// The library does not know whether there is a job.
    Unknown,
    NoSuchJob,
    /// A source did not answer.
    Unclear,
    /// There is no connection to the login node.
    Ssh,
    /// Any other error. The text describes it.
    Other,
}

impl Verdict {
    /// Whether it is unknown if there is a job.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Error { kind: Kind::Unknown, .. })
    }

    pub(crate) fn of(result: &slurm::Result<i64>) -> Self {
        match result {
            Ok(value) => Self::Value(*value),
            Err(error) => {
                let kind = Kind::of(error);
                let mut text = error.to_string();
                let mut source = std::error::Error::source(error);
                while let Some(cause) = source {
                    text += &format!(": {cause}");
                    source = cause.source();
                }
                text.extend(error.hint().map(|hint| format!(" (hint: {hint})")));
                let job = if let Error::Job(job) = error { Some(&job.job) } else { None };
                let exit_code = job.and_then(|job| job.exit_code);
                let signal = job.and_then(|job| job.signal).filter(|signal| *signal != 0);
                Self::Error { kind, text, exit_code, signal }
            }
        }
    }
}

impl Kind {
    fn of(error: &Error) -> Self {
        match error {
            Error::Job(error) => match error.kind {
                JobErrorKind::Failed(_) => Self::Failed,
                JobErrorKind::Crashed => Self::Crashed,
                JobErrorKind::NotStarted => Self::NotStarted,
                JobErrorKind::TimedOut => Self::TimedOut,
                JobErrorKind::Cancelled => Self::Cancelled,
                JobErrorKind::NotRequeued { .. } => Self::NotRequeued,
                JobErrorKind::NodeFailed => Self::NodeFailed,
                JobErrorKind::DependencyFailed { .. } => Self::DependencyFailed,
                JobErrorKind::Lost { .. } => Self::Lost,
                JobErrorKind::Corrupt { .. } => Self::Corrupt,
                JobErrorKind::VersionMismatch { .. } => Self::Mismatch,
                JobErrorKind::Preempted => Self::Preempted,
                _ => Self::OtherEnd,
            },
            Error::Submit(SubmitError::Refused { .. }) => Self::Refused,
            Error::Submit(
                SubmitError::Unknown { .. }
                | SubmitError::NoJobId { .. }
                // A wait ends with this error too.
                | SubmitError::Supervisor { .. }
                | SubmitError::SupervisorSilent { .. },
            ) => Self::Unknown,
            Error::Submit(SubmitError::DependencyFailed { .. }) => Self::DependencyFailed,
            Error::Submit(SubmitError::DependencyUnknown { .. }) | Error::Unclear { .. } => {
                Self::Unclear
            }
            Error::Submit(_) | Error::Host(_) => Self::NoJob,
            Error::NoSuchJob { .. } => Self::NoSuchJob,
            Error::Ssh(_) => Self::Ssh,
            _ => Self::Other,
        }
    }
}
