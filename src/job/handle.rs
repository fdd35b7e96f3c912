//! References to jobs of other processes.

use std::convert::Infallible;
use std::str::FromStr;

use slurm_core::ids::{JobId, SubmissionId};

use crate::model::JobHandle;

/// A way to name a job: by its id, by its submission's id, or by its handle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobRef {
    /// The id that Slurm gave.
    Id(JobId),
    /// The id on a Slurm cluster other than the host's own: `123;cluster`.
    On {
        /// The id.
        id: JobId,
        /// The cluster's name.
        cluster: String,
    },
    /// An element of an array, as squeue names it: `123_4`.
    Element {
        /// The array's id.
        array: JobId,
        /// The indices, as they were written.
        indices: String,
    },
    /// The id of the submission.
    SubmissionId(SubmissionId),
    /// A handle of another process.
    Handle(Box<JobHandle>),
    /// A text that is neither kind of id; no job will be found.
    Unknown(String),
}

impl From<JobId> for JobRef {
    fn from(id: JobId) -> Self {
        Self::Id(id)
    }
}

impl From<&SubmissionId> for JobRef {
    fn from(id: &SubmissionId) -> Self {
        Self::SubmissionId(id.clone())
    }
}

impl From<SubmissionId> for JobRef {
    fn from(id: SubmissionId) -> Self {
        Self::SubmissionId(id)
    }
}

impl From<&JobHandle> for JobRef {
    fn from(handle: &JobHandle) -> Self {
        Self::Handle(Box::new(handle.clone()))
    }
}

impl From<JobHandle> for JobRef {
    fn from(handle: JobHandle) -> Self {
        Self::Handle(Box::new(handle))
    }
}

impl From<&str> for JobRef {
    fn from(text: &str) -> Self {
        if let Ok(id) = text.parse() {
            return Self::Id(id);
        }
        if let Ok(submission_id) = text.parse() {
            return Self::SubmissionId(submission_id);
        }
        if let Some((id, cluster)) = text.split_once(';')
            && let Ok(id) = id.parse()
        {
            return Self::On { id, cluster: cluster.to_owned() };
        }
        let element = text.split_once('_').and_then(|(array, indices)| {
            Some(Self::Element { array: array.parse().ok()?, indices: indices.to_owned() })
        });
        element.unwrap_or_else(|| Self::Unknown(text.to_owned()))
    }
}

impl FromStr for JobRef {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(text.into())
    }
}
