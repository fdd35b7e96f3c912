//! Cancelling the jobs of a cancelled workflow.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use slurm_core::backoff::Backoff;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::registry::Registry;
use slurm_core::task::TaskKind;
use slurm_host::{Found, Look};

use crate::backend::{Asked, Cancelled, Survey};
use crate::cluster::{Child, Cluster};
use crate::error::Result;
use crate::poll::has_exited;
use crate::submit::workflow::state_dir_of;
use crate::workflow::{item_dir, journal};

/// How long a cancelled workflow may take to end before its journal is read.
const LAST_ACT: Duration = Duration::from_secs(3);

/// Cancels the jobs that the workflow in `dir` has submitted, and their jobs in turn. For an array of
/// workflows, `items` selects some of them. `cancelled` are the jobs and elements of the workflow that were
/// cancelled. Does nothing for a job that is not a workflow.
pub(crate) fn cancel_children(
    cluster: &Cluster,
    cancelled: &[Asked],
    dir: &Path,
    items: Option<&[u64]>,
) -> Result<()> {
    let Some(state_dir) = state_dir_of(cluster, dir)? else { return Ok(()) };
    // The journal may still grow until the workflow has ended.
    let mut backoff = Backoff::steady(Duration::from_millis(50));
    while backoff.elapsed() < LAST_ACT {
        let survey = cluster.backend().survey(cancelled)?;
        if !cancelled.iter().any(|asked| runs(asked, &survey)) {
            break;
        }
        backoff.pause();
    }
    let below = match items {
        Some(items) => items.iter().map(|item| item_dir(&state_dir, *item)).collect(),
        None => journals_in(cluster, &state_dir)?,
    };
    below.iter().try_for_each(|dir| cancel_below(cluster, dir))
}

/// Returns whether `task` is a task of this program that is not a workflow. For a task of another program, the
/// job's directory shows whether it is a workflow.
pub(crate) fn is_plain(task: &str) -> bool {
    let entry = Registry::get().ok().and_then(|registry| registry.find(task));
    entry.is_some_and(|entry| entry.kind != TaskKind::Workflow)
}

/// Returns whether a job, or one of the given elements, has not ended.
fn runs(asked: &Asked, survey: &Survey) -> bool {
    let matters = |(first, last): &(u32, u32)| {
        let wanted = |(from, to): &(u32, u32)| first <= to && from <= last;
        asked.elements.as_ref().is_none_or(|elements| elements.iter().any(wanted))
    };
    let elements = survey.elements.get(&asked.job).into_iter().flatten();
    let of_array = elements.filter(|(indices, _)| indices.iter().any(matters));
    let seen = of_array.map(|(_, seen)| seen).chain(survey.seen.get(&asked.job));
    seen.into_iter().any(|seen| !seen.is_end())
}

/// Returns the directories with journals below `state_dir`: one for a workflow, one for each item of an array
/// of workflows.
fn journals_in(cluster: &Cluster, state_dir: &Path) -> Result<Vec<PathBuf>> {
    let look = Look::Dir { path: state_dir.to_owned() };
    let found = cluster.backend().host().look(&[look], u64::MAX)?.pop().transpose()?;
    let Some(Found::Names(names)) = found else { return Ok(Vec::new()) };
    let items = names.iter().filter_map(|name| name.strip_prefix("item-")?.parse().ok());
    let mut dirs: Vec<PathBuf> = items.map(|item| item_dir(state_dir, item)).collect();
    if names.iter().any(|name| name == journal::FILE) {
        dirs.push(state_dir.to_owned());
    }
    Ok(dirs)
}

fn cancel_below(cluster: &Cluster, state_dir: &Path) -> Result<()> {
    let began = Instant::now();
    let mut late = Vec::new();
    for child in children_of(cluster, state_dir)? {
        cancel_child(cluster, &child, &child.ids)?;
        if !child.is_noted {
            late.push(child);
        }
    }
    for child in late {
        cancel_late(cluster, &child, began)?;
    }
    Ok(())
}

fn cancel_child(cluster: &Cluster, child: &Submission, ids: &[JobId]) -> Result<()> {
    let cluster = &cluster.at(child.cluster.as_deref());
    let backend = cluster.backend();
    let dir = &child.dir;
    let mut told = ids.to_vec();
    let result = backend.host().read(&dir.result(), 0)?;
    if result.is_none_or(|result| has_exited(&result)) {
        for id in ids {
            if backend.cancel(*id, None, Some(dir))? == Cancelled::Unknown {
                log::warn!(
                    "job {id} of the workflow is no longer known to the backend, so it was not cancelled"
                );
            }
        }
        // Retries of an array are separate jobs.
        told.extend(cluster.cancel_attempts(dir)?);
    }
    // A workflow that has ended may have jobs that have not.
    if told.is_empty() {
        return Ok(());
    }
    let cancelled: Vec<Asked> = told.into_iter().map(Asked::job).collect();
    cancel_children(cluster, &cancelled, dir.path(), None)
}

/// Cancels the jobs of a submission that had begun when its workflow died: sbatch may have continued.
fn cancel_late(cluster: &Cluster, child: &Submission, began: Instant) -> Result<()> {
    let backend = cluster.backend();
    let is_there =
        |path: &Path| Ok::<_, crate::error::Error>(backend.host().read(path, 0)?.is_some());
    // Nothing is submitted before the script exists. An array may consist of several Slurm arrays.
    let mut parts = 0;
    while is_there(&child.dir.script_of(parts))? {
        parts += 1;
    }
    let mut backoff = Backoff::steady(Duration::from_millis(500));
    let mut known = child.ids.len();
    let on_the_way = backend.cadence().on_the_way;
    while known < parts as usize {
        // Checked before the look, so that the last look comes after the limit.
        let is_over = began.elapsed() >= on_the_way;
        let ids = child.known_ids(cluster)?;
        if ids.len() > known {
            cancel_child(cluster, child, &ids)?;
            known = ids.len();
        } else if is_over {
            break;
        }
        backoff.pause();
    }
    Ok(())
}

/// A submission of a workflow, possibly without a job yet.
#[derive(Debug)]
pub(crate) struct Submission {
    pub(crate) dir: JobDir,
    /// Empty if the backend knows no job of it.
    pub(crate) ids: Vec<JobId>,
    submission_id: SubmissionId,
    /// The Slurm cluster that has the jobs, if it is not the host's own.
    cluster: Option<String>,
    /// Whether the journal has the ids.
    is_noted: bool,
}

impl Submission {
    /// Asks the backend for the ids.
    fn known_ids(&self, cluster: &Cluster) -> Result<Vec<JobId>> {
        let mut ids = Vec::new();
        while let Some(id) = cluster.backend().id_of(&self.submission_id, ids.len() as u32)? {
            // The embedded backend has one job for a submission.
            if ids.contains(&id) {
                break;
            }
            ids.push(id);
        }
        Ok(ids)
    }
}

/// Returns the submissions of the workflow with the directory `state_dir`.
pub(crate) fn children_of(cluster: &Cluster, state_dir: &Path) -> Result<Vec<Submission>> {
    let text =
        cluster.backend().host().read(&state_dir.join(journal::FILE), 0)?.unwrap_or_default();
    let children = journal::children(&journal::entries(&text)).into_iter();
    let of_child = |(task, child): (String, Child)| {
        let dir = JobDir::new(&state_dir.join("tasks"), &task, &child.submission_id);
        let (submission_id, ids, cluster_name) =
            (child.submission_id, child.job_ids, child.cluster);
        let noted = Submission { dir, ids, submission_id, cluster: cluster_name, is_noted: true };
        if !noted.ids.is_empty() {
            return Ok(noted);
        }
        let ids = noted.known_ids(cluster)?;
        Ok(Submission { ids, is_noted: false, ..noted })
    };
    children.map(of_child).collect()
}
