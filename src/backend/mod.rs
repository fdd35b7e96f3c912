//! Backends: the systems that run jobs.
//!
//! A [`Backend`] takes prepared submissions and reports the state of jobs. It does not wait: one
//! [poller](crate::poll) does that for all jobs of a cluster.
//!
//! A [`Survey`] has the answers of the sources of a backend about jobs (`sighting`), and names the sources that gave
//! none (`testimony`).

mod directory;
pub(crate) mod local;
mod prepared;
pub(crate) mod script;
mod sighting;
pub(crate) mod slurm;
mod survey;
mod testimony;
pub(crate) mod traces;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::options::{OptionSet, Release};
use slurm_host::{Host, NewDir, NewFile};

use crate::backend::script::Launcher;
use crate::error::{Error, SubmitError};
use crate::model::BackendKind;

pub(crate) use directory::{SubmissionNote, give_up, note, withdraw};
pub(crate) use prepared::Prepared;
pub(crate) use sighting::{Exit, NO_ROOM, Sighting, Source, Times, since_epoch};
pub(crate) use survey::{Ahead, Asked, Indices, Survey, written};
pub(crate) use testimony::{Said, Testimony};

/// Who runs the jobs.
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// Returns its kind.
    fn kind(&self) -> BackendKind;

    /// Returns its name, with that of the host if that is another one: jobs can only wait for jobs of
    /// the same place.
    fn place(&self) -> String {
        let parts = [Some(self.kind().as_str()), self.host().name(), self.cluster()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Returns the name of its Slurm cluster, if that is not the host's own.
    fn cluster(&self) -> Option<&str> {
        None
    }

    /// Returns the backend of another Slurm cluster that the same commands reach.
    fn of_cluster(&self, _name: &str) -> Option<Arc<dyn Backend>> {
        None
    }

    /// Returns the Slurm cluster that took a submission of this process, if it is another one than the host's
    /// own. Ids are unique within a cluster alone.
    fn chosen_for(&self, _submission_id: &SubmissionId) -> Option<String> {
        None
    }

    /// Returns the lines that sbatch printed beside the id of a job that it took, once.
    fn said_of(&self, _submission_id: &SubmissionId) -> Vec<String> {
        Vec::new()
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
    ///
    /// The backend may forget the job. Where it does, a note in `dir`, the directory of the submission, tells other
    /// processes of the cancellation.
    fn cancel(
        &self,
        job: JobId,
        elements: Option<&Indices>,
        dir: Option<&JobDir>,
    ) -> Result<Cancelled, Error>;

    /// Returns the directory of the job with this id, if the backend still knows.
    fn dir_of(&self, job: JobId) -> Result<Option<PathBuf>, Error>;

    /// Returns the id of the job of this submission, if the backend still knows; of its array `part`, if
    /// it takes several.
    fn id_of(&self, submission_id: &SubmissionId, part: u32) -> Result<Option<JobId>, Error>;

    /// Returns what it allows; asked at most once.
    fn limits(&self) -> Result<Limits, Error>;

    /// Returns how long it keeps a job after its end, if it can tell; asked at most once.
    fn forgets_after(&self) -> Option<Duration> {
        None
    }

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

/// The limits of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The most elements of one Slurm array.
    pub(crate) elements: u64,
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
    pub(crate) fn conclude(&self, backend: &dyn Backend, answer: &Result<JobId, SubmitError>) {
        let host = backend.host();
        match answer {
            Ok(id) if self.noted => {
                let cluster = backend.chosen_for(&self.prepared.submission_id);
                note(host, &self.prepared.dir, &[*id], cluster);
            }
            // A later search needs the directory.
            Err(error) if self.prepared.may_be_looked_at_again(error) => {}
            Err(error) if self.new.is_some() => {
                give_up(host, self.prepared.dir.path(), error);
            }
            _ => {}
        }
    }
}

/// The result of a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a job that is not known may live all the same"]
pub(crate) enum Cancelled {
    /// The job was told to end, or has ended.
    Done,
    /// The backend does not know the job: it ended long ago, or belongs to another cluster.
    Unknown,
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
    /// The same for a job that the queue does not have, while the accounting does not answer or keeps a record
    /// that has no end.
    pub(crate) unconfirmed_after: Duration,
    /// How long after its client's death a submission may still arrive.
    pub(crate) on_the_way: Duration,
}

impl Cadence {
    /// Returns how long it takes at most until what was told to end, and leaves no result, counts as ended.
    pub(crate) fn longest_end(&self) -> Duration {
        // Slurm gives processes 30 s before it kills them, unless told otherwise, and 60 s to be gone then.
        const KILLED: Duration = Duration::from_secs(120);
        let Self { file_grace, written_grace, return_grace, lost_after, .. } = self;
        let lost = lost_after.max(&self.unconfirmed_after);
        let grace = file_grace.max(written_grace).max(return_grace).max(lost);
        // It has to be seen, and seen once more when the time is over.
        KILLED + *grace + self.survey.1 * 2
    }
}
