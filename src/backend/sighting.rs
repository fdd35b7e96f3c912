//! The answer of one source about a job.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use slurm_core::options::Walltime;
use slurm_core::state::JobState;

use crate::model::{Reason, Status};

/// The answer of a source about a job, or about elements of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) source: Source,
    pub(crate) state: JobState,
    /// Slurm's word for why it is pending or how it ended.
    pub(crate) reason: Option<String>,
    pub(crate) nodes: Option<String>,
    pub(crate) partition: Option<String>,
    pub(crate) times: Times,
    pub(crate) exit: Option<Exit>,
    /// Whether the last run has called the task, if it has ended and the source knows that.
    pub(crate) entered: Option<bool>,
    /// The user who cancelled it, if the source names one.
    pub(crate) cancelled_by: Option<u32>,
}

/// The source of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The controller, through squeue: a listed job exists.
    Queue,
    /// The accounting, through sacct. It may lag behind, and keeps records of jobs that no controller has any
    /// more.
    Accounting,
    /// The supervisor of the embedded backend.
    Supervisor,
    /// A note in the job's directory, or the memory of this process.
    Note,
}

/// The start and the time limit of a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// The start; for a pending job, the expected start.
    pub(crate) start: Option<SystemTime>,
    pub(crate) limit: Option<Duration>,
}

impl Times {
    /// Reads seconds since the Unix epoch, and a time limit as Slurm prints it.
    pub(crate) fn read(start: Option<&str>, limit: Option<&str>) -> Self {
        // A start at the epoch means that the clock was not set.
        let seconds = start.and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0);
        let limit = limit.and_then(|text| text.parse::<Walltime>().ok());
        Self { start: seconds.and_then(since_epoch), limit: limit.and_then(Walltime::as_limit) }
    }
}

/// Returns the time this many seconds after the Unix epoch, if the system can represent it.
pub(crate) fn since_epoch(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// The prefix of the reason of a job that was given up because workflows hold the resources that it needs.
pub(crate) const NO_ROOM: &str = "no room";

/// How the process of a job ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub(crate) code: i32,
    /// The signal that ended it, or 0.
    pub(crate) signal: i32,
}

impl Sighting {
    /// Returns a sighting in the queue with only a state.
    pub(crate) fn of(state: JobState) -> Self {
        Self {
            source: Source::Queue,
            state,
            reason: None,
            nodes: None,
            partition: None,
            times: Times::default(),
            exit: None,
            entered: None,
            cancelled_by: None,
        }
    }

    /// Returns the status for the public interface.
    pub(crate) fn status(&self) -> Status {
        let waits = self.state.is_pending();
        let (started, expected_start) =
            if waits { (None, self.times.start) } else { (self.times.start, None) };
        Status {
            state: self.state.clone(),
            reason: self.reason.clone().map(Reason::new),
            node: self.nodes.clone(),
            started,
            expected_start,
            time_limit: self.times.limit,
            jobs_ahead: None,
        }
    }

    /// Returns whether the job will not run any more: it has ended, or its dependency can never be met.
    pub(crate) fn is_end(&self) -> bool {
        self.state.is_terminal() || self.waits_in_vain()
    }

    /// Returns whether a line about a whole array holds for its elements. After an element has run, the
    /// accounting may print the record of a single element in this form for a moment. An array that never ran
    /// has few possible ends.
    pub(crate) fn holds_for_elements(&self) -> bool {
        let never_ran =
            matches!(self.state, JobState::Cancelled | JobState::Deadline | JobState::Revoked);
        self.source != Source::Accounting || !self.state.is_terminal() || never_ran
    }

    /// Returns whether the job waits for a job that did not end as required.
    pub(crate) fn waits_in_vain(&self) -> bool {
        self.state.is_pending() && self.reason.as_deref() == Some("DependencyNeverSatisfied")
    }

    /// Returns whether Slurm itself may have cancelled the job because of a failed dependency: the job has not
    /// started, and the accounting, the only source that names the user who cancelled, names none.
    pub(crate) fn may_have_waited_in_vain(&self) -> bool {
        let cancelled = self.state == JobState::Cancelled && self.cancelled_by.is_none();
        self.waits_in_vain()
            || cancelled && self.reason.as_deref() == Some("DependencyNeverSatisfied")
            || cancelled && self.source == Source::Accounting && self.nodes.is_none()
    }
}

impl Exit {
    /// Reads the status of `wait(2)`, as squeue prints it up to 22.05.
    pub(crate) fn from_wait_status(status: u32) -> Self {
        Self { code: (status >> 8 & 0xff) as i32, signal: (status & 0x7f) as i32 }
    }

    /// Reads `code:signal`, as sacct prints it, and squeue from 23.02 on.
    pub(crate) fn from_pair(text: &str) -> Option<Self> {
        let (code, signal) = text.split_once(':')?;
        Some(Self { code: code.parse().ok()?, signal: signal.parse().ok()? })
    }
}
