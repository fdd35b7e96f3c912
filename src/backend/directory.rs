//! The directory of a submission after the submission: the note of the ids, or its removal.

use std::path::Path;

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_host::Host;

use crate::error::SubmitError;

/// The note that the client leaves in the job's directory once the job has an id.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SubmissionNote {
    pub(crate) job_id: JobId,
    /// The ids of the other Slurm arrays of the submission.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) further: Vec<JobId>,
    /// The Slurm cluster that has them, if it is not the host's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cluster: Option<String>,
}

/// Removes the directory of a refused job. If a job may still exist, its files stay.
pub(crate) fn give_up(host: &dyn Host, dir: &Path, error: &SubmitError) {
    if !error.leaves_open() {
        withdraw(host, dir);
    }
}

/// Removes the directory of a submission that led to no job.
pub(crate) fn withdraw(host: &dyn Host, dir: &Path) {
    if let Err(leftover) = host.withdraw(dir) {
        log::warn!("the directory of a refused job could not be removed: {leftover}");
    }
}

/// Notes the ids of a submission in its directory.
pub(crate) fn note(host: &dyn Host, dir: &JobDir, ids: &[JobId], cluster: Option<String>) {
    let Some((job_id, further)) = ids.split_first() else { return };
    let note = SubmissionNote { job_id: *job_id, further: further.to_vec(), cluster };
    // A failure is only logged, because the job exists and can also be found without the note.
    let noted = serde_json::to_vec(&note)
        .map_err(|error| error.to_string())
        .and_then(|note| host.write(&dir.submitted(), &note).map_err(|error| error.to_string()));
    if let Err(error) = noted {
        log::warn!("the id of job {job_id} could not be noted: {error}");
    }
}
