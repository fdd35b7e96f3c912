//! The parsers of foreign text that are not public, for the fuzz targets.

use slurm_core::ids::SubmissionId;
use slurm_host::Printable;

use crate::backend::{SubmissionNote, local, slurm};
use crate::model::Explanation;

/// What squeue, sacct and sbatch print.
pub fn slurm_output(text: &str) {
    slurm::read_anything(text);
    let _ = crate::error::limit_in(text);
    let _ = crate::error::Refusal::of(text);
}

/// What passes between clients and the supervisor, its journal, and what `/proc` says.
pub fn supervisor(bytes: &[u8]) {
    local::read_anything(bytes);
}

/// What describes an array, and a segment of it.
pub fn array(description: &[u8], segment: &[u8]) {
    crate::array::read_anything(description, segment);
}

/// The settings and the journal of a workflow.
pub fn workflow(bytes: &[u8]) {
    crate::workflow::read_anything(bytes);
}

/// The descriptions in a job's directory; returns what people are shown.
pub fn descriptions(bytes: &[u8]) -> Option<String> {
    let _ = serde_json::from_slice::<SubmissionNote>(bytes);
    let _ = serde_json::from_slice::<crate::model::JobHandle>(bytes);
    let _ = serde_json::from_slice::<slurm_core::requeue::RequeueNote>(bytes);
    serde_json::from_slice::<Explanation>(bytes).ok().map(|explanation| explanation.to_string())
}

/// Permissions, and names of jobs.
pub fn words(text: &str) {
    let _ = crate::model::permissions::octal(text).map(crate::model::permissions::script);
    let _ = text.parse::<SubmissionId>();
    let _ = crate::job::JobRef::from(text);
}

/// Text as it is shown on a terminal.
pub fn shown(text: &str) -> String {
    Printable(text).to_string()
}

/// A word for a shell.
pub fn word(text: &str) -> String {
    slurm_host::shell_word(text)
}
