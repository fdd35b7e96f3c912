//! What goes with a cancelled workflow.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;

use super::{journal, state_dir_of};
use crate::backend::{Asked, Sighting};
use crate::cluster::Cluster;
use crate::error::Result;

/// How long a workflow that was cancelled is given to end before its journal is read.
const LAST_ACT: Duration = Duration::from_secs(3);

/// Cancels the jobs of the workflow whose job has the directory `dir`, and theirs; of a job that is no
/// workflow, nothing.
pub(crate) fn cancel_children(cluster: &Cluster, job: JobId, dir: &Path) -> Result<()> {
    let Some(state_dir) = state_dir_of(cluster, dir)? else { return Ok(()) };
    // What it submits while it is told to end would be missed.
    let deadline = Instant::now() + LAST_ACT;
    while Instant::now() < deadline {
        let survey = cluster.backend().survey(&[Asked::job(job)])?;
        if survey.seen.get(&job).is_none_or(Sighting::is_end) {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    cancel_below(cluster, &state_dir)
}

fn cancel_below(cluster: &Cluster, state_dir: &Path) -> Result<()> {
    let backend = cluster.backend();
    for (dir, ids) in children_of(cluster, state_dir)? {
        if backend.host().read(&dir.result(), 0)?.is_none() {
            ids.iter().try_for_each(|id| backend.cancel(*id, None))?;
            // What of an array was tried again.
            for attempt in cluster.attempts_of(&dir, &[])?.submitted {
                attempt.parts.iter().try_for_each(|part| backend.cancel(part.job_id, None))?;
            }
        }
        // Also of a workflow that has ended before its jobs.
        if let Some(id) = ids.first() {
            cancel_children(cluster, *id, dir.path())?;
        }
    }
    Ok(())
}

/// Returns the directories and ids of the jobs that the workflow with the directory `state_dir` has
/// submitted; one without ids is not known to the backend either.
pub(crate) fn children_of(
    cluster: &Cluster,
    state_dir: &Path,
) -> Result<Vec<(JobDir, Vec<JobId>)>> {
    let backend = cluster.backend();
    let text = backend.host().read(&state_dir.join(journal::FILE), 0)?.unwrap_or_default();
    let children = journal::children(&journal::entries(&text)).into_iter();
    let of_child = |(task, child): (String, journal::Child)| {
        let dir = JobDir::new(&state_dir.join("tasks"), &task, &child.pre_id);
        let mut ids = child.job_ids;
        if ids.is_empty() {
            while let Some(id) = backend.id_of(&child.pre_id, ids.len() as u32)? {
                // The embedded backend has one job for a submission.
                if ids.contains(&id) {
                    break;
                }
                ids.push(id);
            }
        }
        Ok((dir, ids))
    };
    children.map(of_child).collect()
}
