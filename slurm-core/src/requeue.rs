//! Running a job again under the same id: who asks for it, and how often.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::durable;

/// The error by which a task asks to be run again, as the same job and in the same directory.
///
/// A task that returns it, or an error that has it among its [sources](Error::source), puts its job back into
/// the queue instead of failing. So `?` carries it through `anyhow::Error`, `Box<dyn Error>` and the
/// `#[from]` of error enums. The next run finds [`restart_count`](crate::context::JobContext::restart_count)
/// one higher, and what this one left in [`checkpoint_dir`](crate::context::JobContext::checkpoint_dir).
///
/// It does not bring back a job that was told to end: a cancelled job stays cancelled, and Slurm decides about a
/// preempted job. How often a job may ask is the option `max_requeues`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requeue {
    reason: String,
    mark: Mark,
}

/// Marks a [`Requeue`] among the sources of an error: wrappers such as `anyhow::Error` hide the error that they
/// hold, but not its sources.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mark;

impl Requeue {
    /// Returns the request without a reason.
    pub fn new() -> Self {
        Self::because("the task asks to be run again")
    }

    /// Returns the request with a reason, which stands in the job's diary.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), mark: Mark }
    }

    /// Returns the reason.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub(crate) fn is_mark(error: &(dyn Error + 'static)) -> bool {
        error.is::<Mark>()
    }

    /// Returns whether `error` or one of its sources is a `Requeue`.
    pub fn is_in(error: &(dyn Error + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(error) = next {
            if error.is::<Mark>() || error.is::<Self>() {
                return true;
            }
            next = error.source();
        }
        false
    }
}

impl Default for Requeue {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Requeue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl Error for Requeue {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.mark)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job is to be requeued")
    }
}

impl Error for Mark {}

/// The settings for requeueing in a task's attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskRequeue {
    /// The action at the time limit.
    pub on_timeout: Option<OnTimeout>,
    /// How often a job may be requeued.
    pub max_requeues: Option<u32>,
}

/// The action for a job that reaches its time limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnTimeout {
    /// It fails as [timed out](crate::state::JobState::Timeout).
    Fail,
    /// It is requeued.
    Requeue,
}

crate::word_enum!(OnTimeout, "action", { Requeue: "requeue", Fail: "fail" });

impl AsRef<str> for OnTimeout {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

/// How often a job may be requeued by default.
pub const DEFAULT_MAX_REQUEUES: u32 = 10;

/// The facts that the runner needs to requeue its job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequeuePolicy {
    /// Who does it.
    pub by: Requeuer,
    /// How often the job may be requeued at its own request.
    pub max: u32,
    /// Seconds from the warning signal to the time limit, if the job is to be requeued before that.
    pub before_timeout: Option<u64>,
}

/// Who puts a job back into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Requeuer {
    /// Nobody, because `no_requeue` forbids it.
    Nobody,
    /// The supervisor of the embedded backend, once the processes have ended.
    Supervisor,
    /// `scontrol requeue`, called in the job.
    Scontrol,
}

/// The note of a run that asks to be run again: the file `requeue` in the job's directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequeueNote {
    /// Which run: how often the job had been restarted before it.
    pub restart_count: u32,
    /// Why.
    pub reason: String,
}

impl RequeueNote {
    /// Writes the note and replaces the note of an earlier run.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        durable::replace(path, &serde_json::to_vec(self)?)
    }

    /// Reads the note of the run `restart_count`; `None` if the note is from an earlier run.
    pub fn read(path: &Path, restart_count: u32) -> Option<Self> {
        let note: Self = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        (note.restart_count == restart_count).then_some(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Wrapper(Box<dyn Error>);

    impl fmt::Display for Wrapper {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("wrapped")
        }
    }

    impl Error for Wrapper {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self.0.as_ref())
        }
    }

    #[test]
    fn a_request_is_found_behind_other_errors() {
        assert!(Requeue::is_in(&Requeue::new()));
        assert!(Requeue::is_in(&Wrapper(Box::new(Wrapper(Box::new(Requeue::new()))))));
        assert!(!Requeue::is_in(&Wrapper(Box::new(fmt::Error))));
    }

    #[test]
    fn a_note_of_an_earlier_run_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("requeue");
        RequeueNote { restart_count: 1, reason: "r".to_owned() }.write(&path).unwrap();
        assert_eq!(RequeueNote::read(&path, 1).map(|note| note.reason).as_deref(), Some("r"));
        assert_eq!(RequeueNote::read(&path, 2), None);
    }
}
