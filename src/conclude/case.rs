//! What is known of a call that has ended.

use std::path::{Path, PathBuf};

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::outcome::Failure;

use crate::backend::{Backend, Sighting};
use crate::error::{JobReport, UpstreamFailure};

/// A submitted call: a job, or an item of an array.
pub(crate) trait Case {
    /// Returns the job's id.
    fn id(&self) -> JobId;
    /// Returns the submission's id.
    fn submission_id(&self) -> &SubmissionId;
    /// Returns the task's name.
    fn task(&self) -> &str;
    /// Returns the directory of the submission.
    fn dir(&self) -> &Path;
    /// Returns the index of the element in the Slurm array and the index of the item.
    fn place(&self) -> Option<(u32, u64)> {
        None
    }
    /// Returns the last run in which the runner reached the task, if there is one.
    fn entered(&self) -> Option<Entered>;
    /// Returns the panic that the runner noted before it could write the outcome.
    fn panic(&self) -> Option<Failure>;
    /// Returns the path of standard error, if it is known, and the end of its content.
    fn stderr_end(&self) -> (Option<PathBuf>, String);
    /// Returns the failed dependencies, with the end of each; see [`upstream`](super::upstream()).
    fn upstream(&self) -> Vec<UpstreamFailure>;
    /// Returns the backend that ran it.
    fn backend(&self) -> &dyn Backend;
}

/// A run in which the runner reached the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entered {
    /// The number of restarts of the job before this run.
    pub(crate) run: u32,
    /// Whether a note says that the process has ended by itself before the task had returned.
    pub(crate) has_exited: bool,
}

/// Returns the report of a job for its error.
pub(super) fn report(job: &dyn Case, sighting: Option<&Sighting>) -> JobReport {
    let exit = sighting.and_then(|sighting| sighting.exit);
    let (stderr_file, stderr_end) = job.stderr_end();
    JobReport {
        id: job.id(),
        index: job.place().map(|(index, _)| index),
        item: job.place().map(|(_, item)| item),
        submission_id: job.submission_id().clone(),
        task: job.task().to_owned(),
        state: sighting.map(|sighting| sighting.state.clone()),
        node: sighting.and_then(|sighting| sighting.nodes.clone()),
        exit_code: exit.map(|exit| exit.code),
        signal: exit.map(|exit| exit.signal).filter(|signal| *signal != 0),
        reason: sighting.and_then(|sighting| sighting.reason.clone()),
        stderr_tail: tail(&stderr_end),
        stderr_file,
        dir: job.dir().to_owned(),
        host: job.backend().host().name().map(str::to_owned),
        is_code_of_task: false,
        began_before: false,
    }
}

/// Returns the last twenty lines.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}
