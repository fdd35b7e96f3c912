//! A submitted job.

use std::fmt;
use std::sync::{Arc, Once};
use std::time::Instant;

use once_cell::sync::OnceCell;
use slurm_core::codec::CodecError;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::state::JobState;

use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::model::{Explanation, JobHandle};
use crate::poll::{End, Freshness, JobWatch, Subject, Verdict};
use crate::progress::Tale;

/// A submitted call that will return a `T`.
///
/// Dropping the handle changes nothing: the job keeps running, and [`Cluster::attach`] finds it again, also
/// from another process.
pub struct Job<T> {
    pub(super) cluster: Cluster,
    pub(super) handle: JobHandle,
    pub(super) decode: fn(&[u8]) -> Result<T, CodecError>,
    pub(super) explanation: OnceCell<Explanation>,
    pub(super) watch: Arc<JobWatch>,
    /// Calls the callbacks for its end once.
    pub(super) told: Once,
    /// Progress output of the waits for this job.
    pub(super) tale: Tale,
    /// When this process began to submit it, if it did.
    pub(super) submitted_at: Option<Instant>,
    /// The time of the last answer about its state.
    pub(super) answer: Freshness,
    /// The lines that sbatch printed when this process submitted it.
    pub(super) said: Vec<String>,
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl<T> Job<T> {
    pub(crate) fn new(
        cluster: Cluster,
        handle: JobHandle,
        decode: fn(&[u8]) -> Result<T, CodecError>,
        explanation: Option<Explanation>,
    ) -> Self {
        let explanation = explanation.map_or_else(OnceCell::new, OnceCell::with_value);
        let cluster = cluster.at(handle.cluster.as_deref());
        let result = JobDir::at(&handle.dir).result();
        let watch = Arc::new(JobWatch::new(handle.job_id, result));
        Self {
            cluster,
            handle,
            decode,
            explanation,
            watch,
            told: Once::new(),
            tale: Tale::default(),
            submitted_at: None,
            answer: Freshness::default(),
            said: Vec::new(),
        }
    }

    /// Returns the job with the time at which its submission began, which may have taken long, and the lines of
    /// sbatch.
    pub(crate) fn submitted(self, began: Instant, said: Vec<String>) -> Self {
        Self { submitted_at: Some(began), said, ..self }
    }

    /// Returns the job's id.
    pub fn id(&self) -> JobId {
        self.handle.job_id
    }

    /// Returns the submission's id. It stays unique when Slurm reuses job ids.
    pub fn submission_id(&self) -> &SubmissionId {
        &self.handle.submission_id
    }

    /// Returns the handle with which another process can [attach](Cluster::attach) to the job.
    pub fn handle(&self) -> &JobHandle {
        &self.handle
    }

    pub(crate) fn dir(&self) -> JobDir {
        JobDir::at(&self.handle.dir)
    }

    /// Returns the directory of the job, on the machine that has its files.
    pub fn job_dir(&self) -> &std::path::Path {
        &self.handle.dir
    }

    /// Returns the description of the submission: the options with the source of each, and the script.
    ///
    /// # Errors
    /// If another process submitted the job and its description cannot be read.
    pub fn explain(&self) -> Result<&Explanation> {
        self.explanation.get_or_try_init(|| {
            let path = self.dir().job_json();
            let text = self.read_text(&path)?;
            serde_json::from_str(&text).map_err(|error| Error::Config {
                message: format!("{} is damaged: {error}", path.display()),
                hint: "the result of the job does not depend on it and can still be fetched"
                    .to_owned(),
            })
        })
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns the last time at which the queue certainly knew the job, unless it has been seen to end since.
    pub(crate) fn known_at(&self) -> Option<Instant> {
        self.submitted_at.filter(|_| self.watch.verdict().is_none())
    }

    /// Returns how the job ended, if this process has seen that.
    pub(crate) fn ended_as(&self) -> Option<JobState> {
        match self.watch.verdict()?.ok()? {
            Verdict::Ended(End::Lost(_)) | Verdict::Unreadable(_) => None,
            verdict => Some(verdict.state()),
        }
    }

    pub(crate) fn subject(&self) -> Arc<dyn Subject> {
        self.watch.clone()
    }

    /// Refuses a question that only a real job can answer, if this one is only planned.
    pub(crate) fn check_is_real(&self) -> Result<()> {
        self.cluster.check_is_real(&self.handle.task)
    }
}
