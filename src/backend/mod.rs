//! Who runs the jobs.
//!
//! A [`Backend`] takes prepared submissions and says what became of jobs. It does not wait: one
//! [poller](crate::poll) does that for all jobs of a cluster.

pub(crate) mod local;
pub(crate) mod slurm;
pub(crate) mod traces;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use slurm_core::ids::{JobId, PreId};
use slurm_core::options::{OptionSet, Release, Walltime};
use slurm_core::state::JobState;

use crate::array::Limits;
use crate::error::{Error, SubmitError};
use crate::host::{Host, NewDir, NewFile};
use crate::script::Launcher;
use crate::submit::{self, Prepared};

/// Who runs the jobs.
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// Returns its name, as on the command line.
    fn name(&self) -> &'static str;

    /// Returns its name, with that of the host if that is another one: jobs can only wait for jobs of
    /// the same place.
    fn place(&self) -> String {
        match self.host().name() {
            Some(host) => format!("{} {host}", self.name()),
            None => self.name().to_owned(),
        }
    }

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

    /// Makes jobs of submissions: writes their directories, hands them over and notes their ids. The
    /// answers are in the order of the submissions.
    ///
    /// A submission that was refused leaves no directory; what may still become a job keeps its files.
    fn submit(&self, batch: &[Submission<'_>]) -> Vec<Result<JobId, SubmitError>>;

    /// Returns what is known of these jobs.
    fn survey(&self, asked: &[Asked]) -> Result<Survey, Error>;

    /// Cancels a job, or some elements of an array. What has ended already is no error.
    fn cancel(&self, job: JobId, elements: Option<&Indices>) -> Result<(), Error>;

    /// Returns the directory of the job with this id, if the backend still knows.
    fn dir_of(&self, job: JobId) -> Result<Option<PathBuf>, Error>;

    /// Returns the id of the job of this submission, if the backend still knows; of its array `part`, if
    /// it takes several.
    fn id_of(&self, pre_id: &PreId, part: u32) -> Result<Option<JobId>, Error>;

    /// Returns what it allows; asked at most once.
    fn limits(&self) -> Result<Limits, Error>;

    /// Returns how many elements of an array with these options can run at the same time, at least 1.
    fn slots(&self, options: &OptionSet) -> u64;

    /// Returns the CPUs and GPUs that it gives out, if it is the embedded one.
    fn machine(&self) -> Option<(u32, u32)> {
        None
    }

    /// Returns which of some jobs that wait can certainly never run while all of `workflows` do, and why.
    fn no_room_beside(
        &self,
        _jobs: &[JobId],
        _workflows: &[JobId],
    ) -> Result<Vec<(JobId, String)>, Error> {
        Ok(Vec::new())
    }

    /// Returns how often to look.
    fn cadence(&self) -> Cadence;
}

/// A submission, or one of the arrays of one.
#[derive(Debug)]
pub(crate) struct Submission<'a> {
    pub(crate) prepared: &'a Prepared,
    /// The directory with its files; none for a further array, whose directory is there.
    pub(crate) new: Option<(NewDir<'a>, Vec<NewFile<'a>>)>,
    /// Whether its id is all that is to be noted.
    pub(crate) noted: bool,
}

impl Submission<'_> {
    /// Does what comes after the answer of whoever takes the job.
    pub(crate) fn conclude(&self, host: &dyn Host, answer: &Result<JobId, SubmitError>) {
        match answer {
            Ok(id) if self.noted => submit::note(host, &self.prepared.dir, &[*id]),
            Err(error) if self.new.is_some() => {
                submit::give_up(host, self.prepared.dir.path(), error);
            }
            _ => {}
        }
    }
}

/// What a backend is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) job: JobId,
    /// The elements that matter, if it is an array.
    pub(crate) elements: Option<Indices>,
}

impl Asked {
    /// Returns the question about a job, or about an array of which anything may matter.
    pub(crate) fn job(job: JobId) -> Self {
        Self { job, elements: None }
    }

    /// Returns whether `survey` leaves something open that matters.
    pub(crate) fn is_missing_in(&self, survey: &Survey) -> bool {
        let seen = survey.elements.get(&self.job);
        let Some(elements) = &self.elements else {
            return seen.is_none() && !survey.seen.contains_key(&self.job);
        };
        let mut ranges: Indices =
            seen.into_iter().flatten().flat_map(|(indices, _)| indices).copied().collect();
        ranges.sort_unstable();
        // Both ascend, so one pass over both tells.
        let mut ranges = ranges.into_iter().peekable();
        elements.iter().any(|(first, last)| {
            let mut next = *first;
            while let Some((from, to)) = ranges.peek() {
                if *from > next {
                    return true;
                }
                next = next.max(to.saturating_add(1));
                if next > *last {
                    return false;
                }
                ranges.next();
            }
            true
        })
    }
}

/// What a backend knows of some jobs.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Those that are known; one that is not known at all is left out.
    pub(crate) seen: HashMap<JobId, Sighting>,
    /// The elements of arrays, by the array's id. Elements that are not known are left out; of two
    /// sightings of an element the later one holds.
    pub(crate) elements: HashMap<JobId, Vec<(Indices, Sighting)>>,
    /// What stands before jobs, and arrays by their id, that wait for resources or for their turn; only
    /// the embedded backend knows.
    pub(crate) ahead: HashMap<JobId, Ahead>,
    /// Why a source could not be asked, so that a job that is left out may be known there.
    pub(crate) doubt: Option<Error>,
}

/// What stands before a job in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ahead {
    /// How many jobs, and elements of arrays, start before it.
    pub(crate) waiting: u64,
    /// How many run now.
    pub(crate) running: u64,
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
    pub(crate) times: Times,
}

impl Sighting {
    /// Returns the sighting of a job of which nothing but the state is known.
    pub(crate) fn of(state: JobState) -> Self {
        Self { state, reason: None, nodes: None, exit: None, times: Times::default() }
    }
}

/// When a job started, and how long it may run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Times {
    /// When it started; of a job that waits, when it is expected to start.
    pub(crate) start: Option<SystemTime>,
    pub(crate) limit: Option<Duration>,
}

impl Times {
    /// Reads seconds since the Unix epoch, and a time limit as Slurm prints it.
    pub(crate) fn read(start: Option<&str>, limit: Option<&str>) -> Self {
        // A clock that stands at the epoch has not been set.
        let seconds = start.and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 0);
        let limit = limit.and_then(|text| text.parse::<Walltime>().ok());
        Self { start: seconds.and_then(since_epoch), limit: limit.and_then(Walltime::as_limit) }
    }
}

/// Returns the moment that lies so many seconds after the Unix epoch, if the clock can express it.
pub(crate) fn since_epoch(seconds: u64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// How the reason of a job begins that was given up because workflows hold what it needs.
pub(crate) const NO_ROOM: &str = "no room";

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
    /// How long it may take where the job's exit code says that there is a result.
    pub(crate) written_grace: Duration,
    /// How long a job that lost its node may take to come back into the queue.
    pub(crate) return_grace: Duration,
    /// How long a job may be unknown everywhere before it counts as lost.
    pub(crate) lost_after: Duration,
    /// How long after its client's death a submission may still arrive.
    pub(crate) on_the_way: Duration,
}

impl Cadence {
    /// Returns how long it takes at most until what was told to end, and leaves no result, counts as ended.
    pub(crate) fn longest_end(&self) -> Duration {
        // Slurm gives processes 30 s before it kills them, unless told otherwise, and 60 s to be gone then.
        const KILLED: Duration = Duration::from_secs(120);
        let Self { file_grace, written_grace, return_grace, lost_after, survey, .. } = self;
        let grace = file_grace.max(written_grace).max(return_grace).max(lost_after);
        // It has to be seen, and seen once more when the time is over.
        KILLED + *grace + survey.1 * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_nobody_tells_of_are_missing() {
        let job: JobId = "7".parse().unwrap();
        let seen = Sighting::of(JobState::Running);
        let seen_at = |indices: &[(u32, u32)]| Survey {
            elements: HashMap::from([(job, vec![(indices.to_vec(), seen.clone())])]),
            ..Survey::default()
        };
        let asked = Asked { job, elements: Some(vec![(0, 3), (7, 7)]) };
        for (indices, missing) in [
            (&[(0, 9)][..], false),
            (&[(7, 7), (2, 5), (0, 1)], false),
            (&[(0, 3)], true),
            (&[(1, 9)], true),
            (&[(0, 1), (3, 9)], true),
            (&[], true),
        ] {
            assert_eq!(asked.is_missing_in(&seen_at(indices)), missing, "{indices:?}");
        }
        assert!(asked.is_missing_in(&Survey::default()));
        assert!(Asked::job(job).is_missing_in(&Survey::default()));
        assert!(!Asked::job(job).is_missing_in(&seen_at(&[(3, 3)])));
    }
}
