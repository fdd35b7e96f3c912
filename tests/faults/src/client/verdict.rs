//! The end of a call as a client saw it.

use serde::{Deserialize, Serialize};
use slurm::{Error, JobErrorKind, SubmitError};

/// A value, or an error with its kind and text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Value(i64),
    Error { kind: Kind, text: String },
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
    Preempted,
    OtherEnd,
    /// The submission was refused: there is no job.
    Refused,
    /// The submission failed, and there is no job.
    NoJob,
    /// The library cannot tell whether there is a job.
    Unknown,
    NoSuchJob,
    /// Anything else, about which the text tells.
    Other,
}

impl Verdict {
    /// Whether it leaves open if there is a job.
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
                if let Error::Job(job) = error {
                    text += &format!(" [{:?} {:?}]", job.job.state, job.job.exit_code);
                }
                Self::Error { kind, text }
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
                JobErrorKind::Corrupt { .. } | JobErrorKind::VersionMismatch { .. } => {
                    Self::Corrupt
                }
                JobErrorKind::Preempted => Self::Preempted,
                _ => Self::OtherEnd,
            },
            Error::Submit(SubmitError::Refused { .. }) => Self::Refused,
            Error::Submit(
                SubmitError::Unknown { .. }
                | SubmitError::NoJobId { .. }
                // The one of a wait, too.
                | SubmitError::Supervisor { .. }
                | SubmitError::SupervisorSilent { .. },
            ) => Self::Unknown,
            Error::Submit(_) | Error::Host(_) => Self::NoJob,
            Error::NoSuchJob { .. } => Self::NoSuchJob,
            _ => Self::Other,
        }
    }
}
