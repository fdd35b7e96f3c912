//! A submission that is ready to be sent.

use std::path::{Path, PathBuf};

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::options::OptionSet;
use slurm_core::task::TaskEntry;

use crate::error::{Refusal, SubmitError};
use crate::model::{Edge, Explanation, JobHandle};

/// A submission that is ready: all decisions are made and nothing is written.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) entry: &'static TaskEntry,
    pub(crate) submission_id: SubmissionId,
    /// The number of the Slurm array, for a submission that takes several.
    pub(crate) part: u32,
    /// The number of the element with the index 0, for an array.
    pub(crate) first: u64,
    pub(crate) dir: JobDir,
    pub(crate) options: OptionSet,
    /// The dependencies in the options.
    pub(crate) waits: Vec<Edge>,
    /// How often the backend has refused it before.
    pub(crate) refusals: u32,
    pub(crate) spec: Vec<u8>,
    /// The settings of a workflow's cluster.
    pub(crate) workflow: Option<Vec<u8>>,
    /// The job of the workflow that submits it.
    pub(crate) within: Option<JobId>,
    pub(crate) explanation: Explanation,
    pub(crate) holds_secrets: bool,
}

impl Prepared {
    /// Returns the handle of the job.
    pub(crate) fn handle(&self, job_id: JobId) -> JobHandle {
        JobHandle {
            submission_id: self.submission_id.clone(),
            job_id,
            task: self.entry.name.to_owned(),
            signature: self.entry.signature,
            dir: self.dir.path().to_owned(),
            cluster: None,
        }
    }

    /// Records that arguments of these parameters hold secrets, which will be in `file`.
    pub(crate) fn note_secrets(&mut self, parameters: &[&'static str], file: &Path) {
        self.holds_secrets |= !parameters.is_empty();
        let warnings = parameters.iter().map(|name| secret_in(file, name));
        self.explanation.warnings.extend(warnings);
    }

    /// Returns whether another look at the dependencies may change this answer.
    pub(crate) fn may_be_looked_at_again(&self, error: &SubmitError) -> bool {
        let about_dependency = matches!(
            error,
            SubmitError::Refused { refusal: Refusal::Dependency, .. }
                | SubmitError::DependencyUnknown { .. }
        );
        about_dependency && self.refusals == 0 && !self.waits.is_empty()
    }

    /// Returns the path of the batch script.
    pub(crate) fn script(&self) -> PathBuf {
        self.dir.script_of(self.part)
    }
}

fn secret_in(file: &Path, parameter: &str) -> String {
    format!(
        "the argument `{parameter}` holds a secret: it stays in {}, which only you can read, until that file is removed",
        file.display()
    )
}
