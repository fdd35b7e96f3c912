//! Who runs the jobs.
//!
//! A [`Backend`] takes prepared submissions and says what became of jobs. It does not wait: one
//! [poller](crate::poll) does that for all jobs of a cluster.

pub(crate) mod local;
pub(crate) mod slurm;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slurm_core::ids::{JobId, PreId};
use slurm_core::options::{OptionSet, Release};
use slurm_core::state::JobState;

use crate::error::{Error, SubmitError};
use crate::host::Host;
use crate::script::Launcher;
use crate::submit::Prepared;

/// Who runs the jobs.
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// Returns its name, as on the command line.
    fn name(&self) -> &'static str;

    /// Returns where its commands run and its files lie.
    fn host(&self) -> &dyn Host;

    /// Returns the directory below which all jobs have theirs.
    fn job_base_dir(&self) -> &Path;

    /// Returns how a script with these options starts the runner.
    fn launcher(&self, options: &OptionSet) -> Launcher;

    /// Returns what will not be as the options ask for.
    fn warnings(&self, options: &OptionSet) -> Vec<String>;

    /// Returns the release of the Slurm behind it, if there is one that says so; asked at most once.
    fn release(&self) -> Option<Release>;

    /// Makes a job of a submission whose files are written.
    fn enqueue(&self, prepared: &Prepared) -> Result<JobId, SubmitError>;

    /// Returns what is known of these jobs.
    fn survey(&self, jobs: &[JobId]) -> Result<Survey, Error>;

    /// Cancels a job, or some elements of an array. What has ended already is no error.
    fn cancel(&self, job: JobId, elements: Option<&Indices>) -> Result<(), Error>;

    /// Returns the directory of the job with this id, if the backend still knows.
    fn dir_of(&self, job: JobId) -> Result<Option<PathBuf>, Error>;

    /// Returns the id of the job of this submission, if the backend still knows.
    fn id_of(&self, pre_id: &PreId) -> Result<Option<JobId>, Error>;

    /// Returns how often to look.
    fn cadence(&self) -> Cadence;
}

/// What a backend knows of some jobs.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Those that are known; one that is not known at all is left out.
    pub(crate) seen: HashMap<JobId, Sighting>,
    /// The elements of arrays, by the array's id. Elements that are not known are left out; of two
    /// sightings of an element the later one holds.
    pub(crate) elements: HashMap<JobId, Vec<(Indices, Sighting)>>,
    /// Why a source could not be asked, so that a job that is left out may be known there.
    pub(crate) doubt: Option<Error>,
}

/// Some elements of an array, as inclusive ranges of their indices.
pub(crate) type Indices = Vec<(u32, u32)>;

/// Returns indices as Slurm writes them: `0-3,7`.
pub(crate) fn written(indices: &Indices) -> String {
    let range = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    indices.iter().map(range).collect::<Vec<_>>().join(",")
}

/// What a backend says of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    pub(crate) state: JobState,
    /// Why it waits, or how it ended, in Slurm's word.
    pub(crate) reason: Option<String>,
    pub(crate) nodes: Option<String>,
    pub(crate) exit: Option<Exit>,
}

/// How the process of a job ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exit {
    pub(crate) code: i32,
    /// The signal that ended it, or 0.
    pub(crate) signal: i32,
}

impl Exit {
    /// Reads the status of `wait(2)`, as squeue prints it.
    pub(crate) fn from_wait_status(status: u32) -> Self {
        Self { code: (status >> 8 & 0xff) as i32, signal: (status & 0x7f) as i32 }
    }

    /// Reads `code:signal`, as sacct prints it.
    pub(crate) fn from_pair(text: &str) -> Option<Self> {
        let (code, signal) = text.split_once(':')?;
        Some(Self { code: code.parse().ok()?, signal: signal.parse().ok()? })
    }
}

/// How often to look for changes, from the moment on when something last happened.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cadence {
    /// Between two looks for result files: at first, and at most.
    pub(crate) files: (Duration, Duration),
    /// Between two questions to the backend: at first, and at most.
    pub(crate) survey: (Duration, Duration),
    /// How long the result of an ended job may take to become visible.
    pub(crate) file_grace: Duration,
    /// How long a job that lost its node may take to come back into the queue.
    pub(crate) return_grace: Duration,
    /// How long a job may be unknown everywhere before it counts as lost.
    pub(crate) lost_after: Duration,
}
