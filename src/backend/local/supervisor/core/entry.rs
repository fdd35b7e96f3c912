//! The entries of the journal.

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::array::End;
use super::job::Identity;
use crate::backend::Indices;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Gpu;
use crate::backend::local::protocol::JobRequest;

/// A line of the journal. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// The highest id that was given out. Its job may be forgotten.
    LastId { id: JobId },
    /// An array, or a job. The request has no environment here.
    Submitted { id: JobId, request: Box<JobRequest> },
    /// The start of a job. Written before its processes exist.
    Started {
        id: JobId,
        at: u64,
        /// How often it was requeued before this run.
        restarts: u32,
        /// In which boot of the machine it was started, if that is known.
        boot: Option<String>,
        granted: Capacity,
        gpus: Vec<Gpu>,
    },
    /// One of its processes exists.
    Spawned { id: JobId, rank: u32, process: Identity },
    /// Its warning signal is sent.
    Warned { id: JobId, at: u64 },
    /// The job is asked to end. Written before the signal is sent.
    Ending { id: JobId, at: u64, state: JobState },
    /// Its run has ended, and it waits for the next one.
    Requeued {
        id: JobId,
        /// How often it was requeued, with this time.
        restarts: u32,
    },
    /// A job that ran has ended.
    Ended { id: JobId, at: u64, end: End },
    /// Elements of the array `id` that ended alike: those that never started, or, when the journal is
    /// rewritten, any.
    EndedTogether { id: JobId, elements: Indices, at: u64, end: End },
}

impl Entry {
    pub(crate) fn submitted(id: JobId, request: JobRequest) -> Self {
        Self::Submitted { id, request: Box::new(request) }
    }

    /// Returns the name of the submission, if the entry is one.
    pub(crate) fn submission(&self) -> Option<String> {
        match self {
            Self::Submitted { request, .. } => Some(request.key().file_name()),
            _ => None,
        }
    }

    pub(crate) fn id(&self) -> JobId {
        match self {
            Self::LastId { id }
            | Self::Submitted { id, .. }
            | Self::Started { id, .. }
            | Self::Spawned { id, .. }
            | Self::Warned { id, .. }
            | Self::Ending { id, .. }
            | Self::Requeued { id, .. }
            | Self::Ended { id, .. }
            | Self::EndedTogether { id, .. } => *id,
        }
    }

    /// Returns the highest id that it shows to be given out.
    pub(crate) fn last_id(&self) -> u32 {
        let more = match self {
            Self::Submitted { request, .. } => {
                request.array.map_or(0, |array| array.size.saturating_sub(1))
            }
            _ => 0,
        };
        self.id().get().saturating_add(more)
    }
}
