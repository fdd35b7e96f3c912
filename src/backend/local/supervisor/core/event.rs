//! What happens, and what has to be done about it.

use std::path::PathBuf;
use std::time::Instant;

use rustix::process::Signal;
use slurm_core::ids::JobId;

use super::entry::Entry;
use super::job::{Identity, Process, RunFiles};
use super::left::{Ended, Found, Left, Trace};
use crate::backend::Exit;
use crate::backend::local::protocol::{JobRequest, Reply, Request, SubmissionKey};

/// The time by two clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// By the clock that never jumps, which alarms follow.
    pub(crate) at: Instant,
    /// In milliseconds since the Unix epoch, which the journal tells.
    pub(crate) clock: u64,
}

/// Something that the core has to react to.
#[derive(Debug)]
pub(crate) enum Event {
    /// Something has changed, or an alarm may be due.
    Tick,
    /// A client asks. One of the actions that follow is the [`Action::Reply`].
    Request(Request),
    /// [`Action::Keep`] is done, or why it failed.
    Kept(Entry, Result<(), String>),
    /// [`Action::Commit`] is done, or why it failed.
    Committed(Entry, Result<(), String>),
    /// [`Action::Start`] is done: the processes with their ranks, or why there are none.
    Started { job: JobId, processes: Result<Vec<(u32, Identity)>, String> },
    /// A process of a job ended. `found` are the marks of the run if its exit code is not known.
    Exited { job: JobId, pid: u32, exit: Option<Exit>, found: Found },
    /// The answer to [`Action::Examine`].
    Examined { job: JobId, left: Left },
    /// The answer to [`Action::AskHandlers`]: whether all processes have a handler.
    Handlers { job: JobId, ready: bool },
    /// The answer to [`Action::Measure`]: jobs that use more memory than they may.
    OverLimit(Vec<JobId>),
    /// A supervisor that begins has looked at the runs that may be left.
    TakeOver(Vec<Trace>),
    /// The journal is long and there is time to rewrite it.
    Tidy,
}

/// Something that has to be done.
#[derive(Debug)]
pub(crate) enum Action {
    /// Append an entry to the journal. If that fails, what follows happens all the same: the next supervisor finds out
    /// by other means.
    Append(Entry),
    /// Append an entry that only counts once it is in the journal.
    Commit(Entry),
    /// Note that all ids up to this one are given out.
    GiveOut(u32),
    /// Keep a submission with its environment, then append its entry.
    Keep { request: Box<JobRequest>, entry: Entry },
    /// Prepare the marks of a run, append its entry, and start its processes, each of which is noted.
    Start { job: JobId, entry: Entry },
    /// Signal processes.
    Signal { processes: Vec<Identity>, signal: Signal, reach: Reach },
    /// Find out whether processes handle a signal, or have ended.
    AskHandlers { job: JobId, processes: Vec<Identity>, signal: Signal },
    /// Look at what a run has left whose processes have ended; with `outcome`, also at how its files say that it ended.
    Examine { files: RunFiles, outcome: bool },
    /// Find out which jobs use more memory than they may.
    Measure(Vec<Limited>),
    /// Make the value of the first of several processes the result of the job.
    Publish(RunFiles),
    /// Remove the marks of a run whose end is noted.
    RemoveMarks(RunFiles),
    /// Remove the environment of a submission that has ended.
    Forget(SubmissionKey),
    /// End the background processes of processes that have ended, found by the marks of their runs.
    EndLeft(Vec<(PathBuf, Ended)>),
    /// Watch a process that another supervisor has started.
    Watch { files: RunFiles, process: Process },
    /// Replace the journal by these entries.
    Rewrite(Vec<Entry>),
    /// Answer the request.
    Reply(Reply),
}

/// Which processes a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The process and its group, and so mostly all that it has started.
    Group,
    /// The process alone.
    Alone,
}

/// A running job with a limit of memory.
#[derive(Debug)]
pub(crate) struct Limited {
    pub(crate) job: JobId,
    /// Its processes, each of which leads a group.
    pub(crate) leaders: Vec<u32>,
    pub(crate) limit_mib: u64,
}
