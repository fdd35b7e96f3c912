//! Dependencies of a job.

use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;
use slurm_core::options::DependencyKind;
use slurm_core::state::JobState;

/// A dependency: a job that another one waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Edge {
    /// The condition on the upstream job.
    #[serde(with = "super::word")]
    pub kind: DependencyKind,
    /// The upstream job.
    pub job: JobId,
    /// Minutes to wait after its start, for `after`.
    pub minutes: Option<u64>,
    /// Its task.
    pub task: String,
    /// Its directory.
    pub dir: PathBuf,
    /// The backend that runs it, with the host if it is a remote one.
    pub backend: String,
    /// The number of its items, if it is an array.
    #[serde(default)]
    pub items: Option<u64>,
    /// Whether its result, or one of its results, is an argument.
    #[serde(default)]
    pub carries_result: bool,
    /// The element that is waited for; `None` for a job or a whole array.
    #[serde(default)]
    pub element: Option<EdgeElement>,
    /// The last time at which the queue certainly knew the job, unless it has been seen to end since.
    #[serde(skip)]
    pub(crate) known_at: Option<Instant>,
    /// How it ended, if this process has seen that.
    #[serde(skip)]
    pub(crate) ended_as: Option<JobState>,
    /// For a Slurm array, its elements in the submission: the number of the first, and their count.
    #[serde(skip)]
    pub(crate) elements: Option<(u64, u32)>,
    /// Whether it is a placeholder of a dry run or a plan, whose id belongs to no job.
    #[serde(skip)]
    pub(crate) is_planned: bool,
}

/// An element of an array that another job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EdgeElement {
    /// Its index in the Slurm array.
    pub index: u32,
    /// Its number among the elements of all Slurm arrays of the submission.
    pub number: u64,
    /// The item whose value is needed, if it is a single one.
    pub item: Option<u64>,
}

impl Edge {
    /// Returns whether both are Slurm arrays of one submission.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.dir == other.dir && self.job != other.job
    }

    /// Returns the id of the upstream job or element in sbatch's form.
    pub(crate) fn target(&self) -> String {
        match self.element {
            Some(element) => format!("{}_{}", self.job, element.index),
            None => self.job.to_string(),
        }
    }

    /// Returns the edge of an argument that is the job's result, or one of its results.
    pub(crate) fn carrying(self) -> Self {
        Self { carries_result: true, ..self }
    }
}
