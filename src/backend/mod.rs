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

/// A system that runs jobs.
pub(crate) trait Backend: fmt::Debug + Send + Sync {
    /// Returns its kind.
    fn kind(&self) -> BackendKind;

    /// Returns its name, with the name of the host if it is remote. Jobs can only wait for jobs of the same
    /// place.
    fn place(&self) -> String {
        let parts = [Some(self.kind().as_str()), self.host().name(), self.cluster()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }

    /// Returns the name of its Slurm cluster, if it is not the host's own.
    fn cluster(&self) -> Option<&str> {
        None
    }

    /// Returns the backend of another Slurm cluster that the same commands reach.
    fn of_cluster(&self, _name: &str) -> Option<Arc<dyn Backend>> {
        None
    }

    /// Returns the Slurm cluster that accepted a submission of this process, if it is not the host's own. Ids
    /// are unique only within a cluster.
    fn chosen_for(&self, _submission_id: &SubmissionId) -> Option<String> {
        None
    }

    /// Returns the lines that sbatch printed beside the id of an accepted job. A second call returns none.
    fn said_of(&self, _submission_id: &SubmissionId) -> Vec<String> {
        Vec::new()
    }

    /// Returns the host where its commands run and its files are.
    fn host(&self) -> &dyn Host;

    /// Returns the directory below which each job has its own.
    fn job_base_dir(&self) -> &Path;

    /// Returns how a script with these options starts the runner.
    fn launcher(&self, options: &OptionSet) -> Launcher;

    /// Returns the options that it will not follow, with reasons.
    fn warnings(&self, options: &OptionSet) -> Vec<String>;

    /// Returns the release of Slurm, if there is one and it reports it. Asked at most once.
    fn release(&self) -> Option<Release>;

    /// Submits jobs: writes their directories, sends them and notes their ids. The answers are in the order of
    /// the submissions.
    ///
    /// A refused submission leaves no directory. If a job may still exist, its files stay.
    fn submit(&self, batch: &[Submission<'_>]) -> Vec<Result<JobId, SubmitError>>;

    /// Returns the answers of all sources about these jobs.
    fn survey(&self, asked: &[Asked]) -> Result<Survey, Error>;

    /// Cancels a job, or some elements of an array. It is not an error if they have ended.
    ///
    /// The backend may forget the job. In that case it leaves a note in `dir`, the directory of the submission,
    /// which informs other processes of the cancellation.
    fn cancel(
        &self,
        job: JobId,
        elements: Option<&Indices>,
        dir: Option<&JobDir>,
    ) -> Result<Cancelled, Error>;

    /// Returns the directory of the job with this id, if the backend still knows it.
    fn dir_of(&self, job: JobId) -> Result<Option<PathBuf>, Error>;

    /// Returns the id of the job of this submission, if the backend still knows it. If the submission takes
    /// several Slurm arrays, `part` selects one.
    fn id_of(&self, submission_id: &SubmissionId, part: u32) -> Result<Option<JobId>, Error>;

    /// Returns the limits of the cluster. Asked at most once.
    fn limits(&self) -> Result<Limits, Error>;

    /// Returns how long it keeps a job after its end, if it reports that. Asked at most once.
    fn forgets_after(&self) -> Option<Duration> {
        None
    }

    /// Returns how many elements of an array with these options can run at the same time, at least 1.
    fn slots(&self, options: &OptionSet) -> u64;

    /// Returns the CPUs and GPUs of the embedded backend.
    fn machine(&self) -> Option<(u32, u32)> {
        None
    }

    /// Returns which of some pending jobs can certainly never run while all of `workflows` run, with reasons.
    fn no_room_beside(
        &self,
        _jobs: &[JobId],
        _workflows: &[JobId],
    ) -> Result<Vec<(JobId, String)>, Error> {
        Ok(Vec::new())
    }

    /// Returns the polling intervals and grace periods.
    fn cadence(&self) -> Cadence;
}

/// The limits of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// The largest number of elements in one Slurm array.
    pub(crate) elements: u64,
}

/// A submission, or one Slurm array of it.
#[derive(Debug)]
pub(crate) struct Submission<'a> {
    pub(crate) prepared: &'a Prepared,
    /// The directory with its files; `None` if the directory exists, as for a further Slurm array.
    pub(crate) new: Option<(NewDir<'a>, Vec<NewFile<'a>>)>,
    /// Whether only the id of this job is to be noted.
    pub(crate) noted: bool,
}

impl Submission<'_> {
    /// Notes the id, or removes the directory, according to the answer to the submission.
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
#[must_use = "a job that is not known may still exist"]
pub(crate) enum Cancelled {
    /// The job was cancelled, or has ended.
    Done,
    /// The backend does not know the job: it ended long ago, or belongs to another cluster.
    Unknown,
}

/// Polling intervals and grace periods.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cadence {
    /// The interval between two looks for result files: the first and the longest.
    pub(crate) files: (Duration, Duration),
    /// The interval between two questions to the backend: the first and the longest.
    pub(crate) survey: (Duration, Duration),
    /// How long the result of an ended job may take to become visible.
    pub(crate) file_grace: Duration,
    /// The same, if the job's exit code says that there is a result.
    pub(crate) written_grace: Duration,
    /// How long a job that lost its node may take to return to the queue.
    pub(crate) return_grace: Duration,
    /// How long a job may be unknown to all sources before it counts as lost.
    pub(crate) lost_after: Duration,
    /// The same for a job that the queue does not list, while the accounting does not answer or has a record
    /// without an end.
    pub(crate) unconfirmed_after: Duration,
    /// How long after its client's death a submission may still arrive.
    pub(crate) on_the_way: Duration,
}

impl Cadence {
    /// Returns the longest time until a cancelled job or element without a result counts as ended.
    pub(crate) fn longest_end(&self) -> Duration {
        // By default Slurm waits 30 s before it kills the processes, and 60 s for them to disappear.
        const KILLED: Duration = Duration::from_secs(120);
        let Self { file_grace, written_grace, return_grace, lost_after, .. } = self;
        let lost = lost_after.max(&self.unconfirmed_after);
        let grace = file_grace.max(written_grace).max(return_grace).max(lost);
        // The end must be seen, and seen again after the grace period.
        KILLED + *grace + self.survey.1 * 2
    }
}
