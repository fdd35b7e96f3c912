//! Submissions that a journal knows.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use slurm_core::backoff::Backoff;
use slurm_core::durable;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Outcome};
use slurm_core::task::Task;

use super::Flow;
use super::journal::{self, Child, Claim, Entry};
use crate::backend::{Asked, Survey};
use crate::builder::JobBuilder;
use crate::cluster::{Cluster, Submitter};
use crate::error::{Error, HostError, Result};
use crate::job::Job;
use crate::model::{Explanation, JobHandle};
use crate::poll::has_exited;
use crate::submit;
use crate::submit::key::Key;

/// Submits a call, or returns the job that an earlier run of the workflow made of it.
pub(crate) fn submit<T: Task>(
    flow: &Flow,
    cluster: &Cluster,
    call: JobBuilder<T>,
) -> Result<Job<T::Output>> {
    let entry = T::entry();
    let arrays = call.call().arrays.iter().map(|array| &array.submission_id);
    let (key, shape) = Key::new(entry.name, entry.signature, &call.call().arguments, arrays)?;
    let claim = flow.claim(&key, &shape);
    let job = submit_claimed(flow, cluster, call, &claim);
    if job.is_err() {
        // The program may try again; then it is the same call.
        flow.journal.release(&claim);
    }
    job
}

fn submit_claimed<T: Task>(
    flow: &Flow,
    cluster: &Cluster,
    call: JobBuilder<T>,
    claim: &Claim,
) -> Result<Job<T::Output>> {
    let entry = T::entry();
    let dir = |submission_id| JobDir::new(&flow.children_dir(), entry.name, submission_id);
    if let Some(child) = &claim.child
        && let Some((job_id, at)) = id_of(flow, cluster, child, &dir(&child.submission_id))?
    {
        let handle = JobHandle {
            submission_id: child.submission_id.clone(),
            job_id,
            task: entry.name.to_owned(),
            signature: entry.signature,
            dir: dir(&child.submission_id).path().to_owned(),
            cluster: at,
        };
        return Ok(Job::new(cluster.clone(), handle, T::decode_output, None));
    }
    let submission_id = match &claim.child {
        Some(child) => {
            // Its files may be there in part.
            cluster.backend().host().remove_dir(dir(&child.submission_id).path())?;
            child.submission_id.clone()
        }
        None => submit::new_submission_id(),
    };
    let prepared = call.prepare(cluster, true, submission_id.clone())?;
    if claim.child.is_none() {
        flow.journal.intend(claim, &submission_id)?;
    }
    let submitted = submit::submit(cluster, prepared, T::decode_output);
    match &submitted {
        Ok(job) => {
            let (job_ids, cluster) = (vec![job.id()], job.handle().cluster.clone());
            flow.journal.note(&Entry::Submitted { submission_id, job_ids, cluster });
        }
        Err(error) if error.leaves_submission_open() => {}
        Err(_) => flow.journal.note(&Entry::Refused { submission_id }),
    }
    submitted
}

/// Returns the id of the job that an intent came to and the Slurm cluster that has it, or `None` if it came to
/// none.
fn id_of(
    flow: &Flow,
    cluster: &Cluster,
    child: &Child,
    dir: &JobDir,
) -> Result<Option<(JobId, Option<String>)>> {
    if let Some(id) = child.job_ids.first() {
        return Ok(Some((*id, child.cluster.clone())));
    }
    // Before the directory is there, nothing is submitted.
    if cluster.backend().host().read(&dir.script(), 0)?.is_none() {
        return Ok(None);
    }
    let found = search(cluster, dir, || match cluster.note_in(dir, &child.submission_id) {
        Ok(note) => Ok(Some((note.job_id, note.cluster))),
        Err(Error::NoSuchJob { .. }) => Ok(None),
        Err(error) => Err(error),
    })?;
    if let Some((id, cluster)) = found.clone() {
        let (submission_id, job_ids) = (child.submission_id.clone(), vec![id]);
        flow.journal.note(&Entry::Submitted { submission_id, job_ids, cluster });
    }
    Ok(found)
}

/// Looks for the job of an intent, whose files are in `dir`, for as long as its submission may still be on the way.
pub(super) fn search<F>(
    cluster: &Cluster,
    dir: &JobDir,
    find: impl Fn() -> Result<Option<F>>,
) -> Result<Option<F>> {
    const PAUSE: Duration = Duration::from_millis(500);
    let (mut looks, mut outage) =
        (Backoff::steady(PAUSE), Backoff::new(PAUSE, Duration::from_secs(6)));
    let mut failures = 0;
    let on_the_way = cluster.backend().cadence().on_the_way;
    let before = age(&dir.script()).unwrap_or_default();
    loop {
        // Looked at before the question, so that the last one comes after the time is over.
        let is_over = before + looks.elapsed() >= on_the_way;
        match find() {
            Ok(None) if !is_over => {}
            Ok(found) => return Ok(found),
            // An outage must not end the workflow at once.
            Err(error @ (Error::Command { .. } | Error::Host(HostError::Timeout { .. })))
                if failures < 20 =>
            {
                failures += 1;
                log::warn!("cannot look for the job, trying again: {error}");
                outage.pause();
            }
            Err(error) => return Err(error),
        }
        looks.pause();
    }
}

/// Returns how long ago a file was written, both times by the clock of the machine that has it: those of the
/// nodes may differ.
fn age(path: &Path) -> io::Result<Duration> {
    let written = fs::metadata(path)?.modified()?;
    let probe = durable::temporary_beside(path);
    let now = OpenOptions::new().write(true).create_new(true).open(&probe)?.metadata();
    let _ = fs::remove_file(&probe);
    Ok(now?.modified()?.duration_since(written).unwrap_or_default())
}

impl Flow {
    /// Drops the jobs of the workflow that `by` resumes which have ended without a value, so that their calls
    /// are made again. Once for each submission: its later runs find what it did itself.
    pub(super) fn drop_failed(&self, cluster: &Cluster, by: &SubmissionId) -> Result<()> {
        if self.journal.is_resumed_by(by) {
            return Ok(());
        }
        let host = cluster.backend().host();
        let text = host.read(&self.dir.join(journal::FILE), 0)?.unwrap_or_default();
        let children = journal::children(&journal::entries(&text));
        let mut open = Vec::new();
        for (task, child) in children {
            let dir = JobDir::new(&self.children_dir(), &task, &child.submission_id);
            // Of an array the items that failed are tried again, once the workflow comes to it.
            if cluster.is_array(&dir)? {
                continue;
            }
            // Whether one that has exited runs again, the backend tells by its id.
            let is_final = |result: &Vec<u8>| child.job_ids.is_empty() || !has_exited(result);
            let outcome = host.read(&dir.result(), 0)?.filter(is_final);
            let outcome = outcome.and_then(|bytes| Some(Outcome::from_bytes(&bytes).ok()?.0));
            match outcome.map(|outcome| outcome.ending) {
                Some(Ending::Value(_)) => {}
                Some(Ending::Failure(_)) => self.drop_child(child.submission_id)?,
                None => {
                    let first = child.job_ids.first().copied();
                    open.extend(first.map(|id| (id, child.submission_id, child.cluster)));
                }
            }
        }
        let mut surveys: HashMap<Option<String>, Survey> = HashMap::new();
        for (id, submission_id, at) in &open {
            if !surveys.contains_key(at) {
                let there = open.iter().filter(|(_, _, other)| other == at);
                let asked: Vec<Asked> = there.map(|(id, ..)| Asked::job(*id)).collect();
                let survey = cluster.at(at.as_deref()).backend().survey(&asked)?;
                surveys.insert(at.clone(), survey);
            }
            // One that is not known any more and has left nothing is lost; one that may be known to a source
            // that did not answer is left for the wait to decide.
            let Some(survey) = surveys.get(at) else { continue };
            let doubtful = !survey.testimony.is_complete();
            let lives = survey.seen.get(id).map_or(doubtful, |seen| !seen.is_end());
            if !lives {
                self.drop_child(submission_id.clone())?;
            }
        }
        self.journal.append(&Entry::Resumed { by: by.clone() })
    }

    fn drop_child(&self, submission_id: SubmissionId) -> Result<()> {
        self.journal.append(&Entry::Dropped { submission_id })
    }
}

impl Cluster {
    /// Returns whether the submission in `dir` is an array; one whose files are not all there is none.
    pub(crate) fn is_array(&self, dir: &JobDir) -> Result<bool> {
        let text = self.backend().host().read(&dir.job_json(), 0)?.unwrap_or_default();
        let explanation = serde_json::from_slice::<Explanation>(&text);
        Ok(explanation.is_ok_and(|explanation| explanation.array.is_some()))
    }

    /// Refuses what only a job can tell, of one of `task` that is only planned.
    pub(crate) fn check_is_real(&self, task: &str) -> Result<()> {
        match self.submitter() {
            Submitter::Plan { planner, .. } => Err(planner.stop_at(task)),
            Submitter::Client | Submitter::Workflow(_) => Ok(()),
        }
    }

    /// Returns the workflow that this is the cluster of.
    pub(crate) fn workflow(&self) -> Option<&Flow> {
        match self.submitter() {
            Submitter::Workflow(flow) => Some(flow),
            Submitter::Client | Submitter::Plan { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn how_old_a_file_is_does_not_depend_on_the_clocks_of_nodes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("script.sh");
        fs::write(&path, "").unwrap();
        let minute = Duration::from_secs(60);
        let age_of = |written: SystemTime| {
            OpenOptions::new().append(true).open(&path).unwrap().set_modified(written).unwrap();
            age(&path).unwrap()
        };
        // The server's clock is that of this machine here.
        assert!(age_of(SystemTime::now()) < minute);
        assert!(age_of(SystemTime::now() - 2 * minute) > minute);
        assert_eq!(age_of(SystemTime::now() + 2 * minute), Duration::ZERO, "it was set back");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
