//! The output of the runner.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::frame::FrameKind;
use crate::framed::framed;
use crate::ids::JobId;

/// The end of a call, and the facts of its run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The value or the failure.
    pub ending: Ending,
    /// Where and when it ran.
    pub run: RunReport,
}

/// The end of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The encoded return value.
    Value(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The reason why there is no value.
    Failure(Box<Failure>),
}

/// Where and when a call ran.
///
/// Times are microseconds since the Unix epoch, by the clock of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReport {
    /// The node, as Slurm calls it; the host name where Slurm does not say.
    pub node: String,
    /// The host name of the machine.
    pub host: String,
    /// The process id of the runner.
    pub pid: u32,
    /// The rank of the process among the processes of the job; only a failure can have a rank other than 0.
    pub rank: u32,
    /// How often the job had been restarted before.
    pub restart_count: u32,
    /// When the process of the runner started.
    pub started_at: u64,
    /// When the task's function was entered; 0 if it never was.
    pub entered_at: u64,
    /// When the outcome was written.
    pub finished_at: u64,
    /// The largest resident set of the process, in KiB.
    pub peak_memory_kib: u64,
}

/// Why a call has no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The error's message, or the panic's.
    pub message: String,
    /// The messages of the errors behind it, outermost first.
    pub sources: Box<[String]>,
    /// The Rust type of the error, as [`std::any::type_name`] gives it.
    pub error_type: Option<Box<str>>,
    /// `file:line:column` of a panic.
    pub location: Option<Box<str>>,
    /// The stack at a panic.
    pub backtrace: Option<Box<str>>,
    /// The error in its `Debug` form; for `anyhow::Error` that includes its backtrace.
    ///
    /// For [`FailureKind::Value`], the value that could not be encoded, as JSON.
    pub debug: Option<Box<str>>,
    /// The item of an array that was to be an argument, if it is that one which has no value.
    pub missing: Option<Box<MissingItem>>,
}

/// An item of an array that has no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingItem {
    /// The task of the array.
    pub task: String,
    /// The Slurm array that its element is in.
    pub job: JobId,
    /// The index of the element there.
    pub index: u32,
    /// The position of the item.
    pub item: u64,
    /// Its own failure, if it left one.
    pub failure: Option<String>,
}

/// The message of a failure of the kind [`Exited`](FailureKind::Exited).
pub const EXITED: &str = "the process ended before the function had returned";

/// The kinds of [`Failure`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FailureKind {
    /// The function returned `Err`.
    Error,
    /// The function panicked.
    Panic,
    /// An argument could not be decoded.
    Argument,
    /// The return value could not be encoded.
    Value,
    /// The spec could not be read.
    Spec,
    /// The binary has no task of that name.
    UnknownTask,
    /// The binary was built with other parameter or return types than the submitter.
    Signature,
    /// The spec was written in another format version.
    Version,
    /// The function asked to be run again, and the job could not be requeued.
    Requeue,
    /// The process ended before the function had returned: `std::process::exit` or C's `exit` was called. The
    /// exit code, which tells more, is not known to the process itself.
    Exited,
}

impl Failure {
    /// Returns a failure of `kind` with nothing but a message.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            sources: Box::default(),
            error_type: None,
            location: None,
            backtrace: None,
            debug: None,
            missing: None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == FailureKind::Panic {
            f.write_str("panicked")?;
            if let Some(location) = &self.location {
                write!(f, " at {location}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)?;
        self.sources.iter().try_for_each(|source| write!(f, ": {source}"))
    }
}

framed!(Outcome, FrameKind::Outcome);
