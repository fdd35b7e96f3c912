//! Handles, by which other processes find a submitted job or array.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slurm_core::ids::{JobId, SubmissionId};

/// The handle of a job, with which another process can [attach](crate::Cluster::attach) to it.
///
/// It can be serialized. It holds no secret and no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobHandle {
    /// The submission's id.
    pub submission_id: SubmissionId,
    /// The job's id.
    pub job_id: JobId,
    /// The task's name.
    pub task: String,
    /// The hash of the task's parameter and return types.
    pub signature: u64,
    /// The job's directory.
    pub dir: PathBuf,
    /// The Slurm cluster that has the job, if it is not the host's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// The handle of an array, with which another process can [attach](crate::Cluster::attach_array) to it.
///
/// It can be serialized. It holds no secret and no value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArrayHandle {
    /// The submission's id.
    pub submission_id: SubmissionId,
    /// The task's name.
    pub task: String,
    /// The hash of the task's parameter and return types.
    pub signature: u64,
    /// The directory of the submission.
    pub dir: PathBuf,
    /// The Slurm arrays: one, unless there are more elements than an array may have.
    pub parts: Vec<ArrayPart>,
    /// The number of items.
    pub items: u64,
    /// The number of items of an element.
    pub items_per_element: u64,
    /// The number of attempts that an item may have.
    pub max_attempts: usize,
    /// The Slurm cluster that has the array, if it is not the host's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
}

/// One Slurm array of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ArrayPart {
    /// The id of the array.
    pub job_id: JobId,
    /// The number of its elements.
    pub elements: u64,
}
