//! Arrays that a journal knows: one entry for all of their items.

use std::time::Instant;

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::task::Task;

use super::Flow;
use super::journal::{Child, Claim, Entry};
use super::submit::search;
use crate::array::{
    ArraySettings, Inputs, JobArray, Parts, Spooled, enqueue, prepare, submit as submit_parts,
};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::submit;
use crate::submit::CallOptions;
use crate::submit::key::Key;

/// Submits items, or returns the array that an earlier run of the workflow made of them.
pub(crate) fn submit_array<T: Task>(
    flow: &Flow,
    cluster: &Cluster,
    spooled: &Spooled,
    options: CallOptions,
    settings: &ArraySettings,
) -> Result<JobArray<T::Output>> {
    let entry = T::entry();
    let (digest, shape) = spooled.digest()?;
    let key = Key::of_digest(entry.name, entry.signature, &digest);
    let claim = flow.claim(&key, &shape);
    let call = Call { flow, cluster, spooled, options, settings, claim: &claim };
    let array = call.submit::<T>();
    if array.is_err() {
        flow.journal.release(&claim);
    }
    array
}

struct Call<'a> {
    flow: &'a Flow,
    cluster: &'a Cluster,
    spooled: &'a Spooled,
    options: CallOptions,
    settings: &'a ArraySettings,
    claim: &'a Claim,
}

impl Call<'_> {
    fn submit<T: Task>(self) -> Result<JobArray<T::Output>> {
        let Self { flow, cluster, claim, .. } = self;
        let host = cluster.backend().host();
        let Some(child) = &claim.child else {
            let parts = self.prepare::<T>(submit::new_submission_id())?;
            flow.journal.intend(claim, parts.submission_id())?;
            return self.submit_new::<T>(parts);
        };
        let dir = JobDir::new(&flow.children_dir(), T::entry().name, &child.submission_id);
        if child.job_ids.is_empty() && host.read(&dir.submitted(), 0)?.is_none() {
            let parts = self.prepare::<T>(child.submission_id.clone())?;
            let known = self.known(child, &dir, &parts)?;
            if known.iter().all(Option::is_none) {
                // Nothing was submitted, but some of the files may be there.
                host.remove_dir(dir.path())?;
                return self.submit_new::<T>(parts);
            }
            let ids = enqueue(cluster, &parts, &known)?;
            let chosen = cluster.backend().chosen_for(&child.submission_id);
            self.note(child.submission_id.clone(), ids, chosen);
        }
        let array = cluster.attach_array::<T>(&child.submission_id)?;
        if child.is_inherited {
            // A resumed workflow runs again what failed. What was tried too often stays as it is.
            array.settle()?;
            let Self { spooled, options, settings, .. } = &self;
            let inputs = Inputs::new(cluster, T::entry(), spooled, options, settings)?;
            match array.retry(Some(&inputs)) {
                Ok(_) | Err(Error::Attempts { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(array)
    }

    fn prepare<T: Task>(&self, submission_id: SubmissionId) -> Result<Parts> {
        let options = self.options.clone();
        prepare::<T>(self.cluster, self.spooled, options, self.settings, submission_id, true)
    }

    fn submit_new<T: Task>(&self, parts: Parts) -> Result<JobArray<T::Output>> {
        let submission_id = parts.submission_id().clone();
        let began = Instant::now();
        let submitted = submit_parts(self.cluster, &parts, Some(self.spooled));
        match &submitted {
            Ok(handle) => {
                let ids = handle.parts.iter().map(|part| part.job_id).collect();
                self.note(submission_id, ids, handle.cluster.clone());
            }
            Err(error) if error.leaves_submission_open() => {}
            Err(_) => self.flow.journal.note(&Entry::Refused { submission_id }),
        }
        let explanation = Some(parts.explanation());
        let array = JobArray::new(self.cluster, submitted?, T::decode_output, explanation);
        Ok(array.submitted(began))
    }

    /// Returns the Slurm arrays of a submission during which the workflow died, as far as they exist.
    fn known(&self, child: &Child, dir: &JobDir, parts: &Parts) -> Result<Vec<Option<JobId>>> {
        let backend = self.cluster.backend();
        if backend.host().read(&dir.script(), 0)?.is_none() {
            return Ok(vec![None; parts.submissions.len()]);
        }
        let find = |part| search(self.cluster, dir, || backend.id_of(&child.submission_id, part));
        parts.submissions.iter().map(|prepared| find(prepared.part)).collect()
    }

    fn note(&self, submission_id: SubmissionId, job_ids: Vec<JobId>, cluster: Option<String>) {
        self.flow.journal.note(&Entry::Submitted { submission_id, job_ids, cluster });
    }
}
