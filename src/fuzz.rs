//! Private parsers of foreign text, for the fuzz targets.

use slurm_core::ids::SubmissionId;
use slurm_host::Printable;

use crate::backend::{SubmissionNote, local, slurm};
use crate::model::Explanation;

/// Parses output of squeue, sacct and sbatch.
pub fn slurm_output(text: &str) {
    slurm::read_anything(text);
    let _ = crate::error::limit_in(text);
    let _ = crate::error::Refusal::of(text);
}

/// Parses messages between clients and the supervisor, the supervisor's journal, and files of `/proc`.
pub fn supervisor(bytes: &[u8]) {
    local::read_anything(bytes);
}

/// Parses the description of an array, and a segment.
pub fn array(description: &[u8], segment: &[u8]) {
    crate::array::read_anything(description, segment);
}

/// Parses the settings and the journal of a workflow.
pub fn workflow(bytes: &[u8]) {
    crate::workflow::read_anything(bytes);
}

/// Parses the descriptions in a job's directory, and returns the text of an explanation.
pub fn descriptions(bytes: &[u8]) -> Option<String> {
    let _ = serde_json::from_slice::<SubmissionNote>(bytes);
    let _ = serde_json::from_slice::<crate::model::JobHandle>(bytes);
    let _ = serde_json::from_slice::<slurm_core::requeue::RequeueNote>(bytes);
    serde_json::from_slice::<Explanation>(bytes).ok().map(|explanation| explanation.to_string())
}

/// Parses permissions and names of jobs.
pub fn words(text: &str) {
    let _ = crate::model::permissions::octal(text).map(crate::model::permissions::script);
    let _ = text.parse::<SubmissionId>();
    let _ = crate::job::JobRef::from(text);
}

/// Returns a text in its form for a terminal.
pub fn shown(text: &str) -> String {
    Printable(text).to_string()
}

/// Returns a text as a word of a shell command.
pub fn word(text: &str) -> String {
    slurm_host::shell_word(text)
}
