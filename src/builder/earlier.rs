//! The job that an earlier run of a workflow submitted for a call.

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::task::TaskEntry;

use crate::array::Parts;
use crate::cluster::{Child, Cluster, Ledger, Noted};
use crate::error::{Error, Result};
use crate::model::JobHandle;
use crate::submit::search::search;

/// Returns the job of an intent. If the intent led to no job, removes the files that exist.
pub(super) fn job(
    cluster: &Cluster,
    ledger: &dyn Ledger,
    entry: &TaskEntry,
    child: &Child,
) -> Result<Option<JobHandle>> {
    let dir = dir_of(cluster, entry, child);
    let Some((job_id, at)) = id_of(cluster, ledger, child, &dir)? else {
        // Some of its files may exist.
        cluster.backend().host().remove_dir(dir.path())?;
        return Ok(None);
    };
    Ok(Some(JobHandle {
        submission_id: child.submission_id.clone(),
        job_id,
        task: entry.name.to_owned(),
        signature: entry.signature,
        dir: dir.path().to_owned(),
        cluster: at,
    }))
}

/// Returns the directory of a submission of an earlier run.
pub(super) fn dir_of(cluster: &Cluster, entry: &TaskEntry, child: &Child) -> JobDir {
    JobDir::new(&cluster.jobs_dir(), entry.name, &child.submission_id)
}

/// Returns the id of an intent's job and the Slurm cluster that has it, or `None` if the intent led to no job.
fn id_of(
    cluster: &Cluster,
    ledger: &dyn Ledger,
    child: &Child,
    dir: &JobDir,
) -> Result<Option<(JobId, Option<String>)>> {
    if let Some(id) = child.job_ids.first() {
        return Ok(Some((*id, child.cluster.clone())));
    }
    // Nothing is submitted before the script exists.
    if cluster.backend().host().read(&dir.script(), 0)?.is_none() {
        return Ok(None);
    }
    let found = search(cluster, dir, || match cluster.note_in(dir, &child.submission_id) {
        Ok(note) => Ok(Some((note.job_id, note.cluster))),
        Err(Error::NoSuchJob { .. }) => Ok(None),
        Err(error) => Err(error),
    })?;
    if let Some((id, at)) = &found {
        ledger.note(&child.submission_id, Noted::Jobs(&[*id], at.as_deref()));
    }
    Ok(found)
}

/// Returns the Slurm arrays, as far as they exist, of a submission during which the workflow died.
pub(super) fn parts(
    cluster: &Cluster,
    child: &Child,
    dir: &JobDir,
    parts: &Parts,
) -> Result<Vec<Option<JobId>>> {
    let backend = cluster.backend();
    if backend.host().read(&dir.script(), 0)?.is_none() {
        return Ok(vec![None; parts.submissions.len()]);
    }
    let find = |part| search(cluster, dir, || backend.id_of(&child.submission_id, part));
    parts.submissions.iter().map(|prepared| find(prepared.part)).collect()
}
