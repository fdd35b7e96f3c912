//! The jobs that a resumed workflow takes over.

use std::collections::HashMap;

use slurm_core::ids::SubmissionId;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Outcome};

use super::Flow;
use super::journal::{self, Entry};
use crate::backend::{Asked, Survey};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::model::Explanation;
use crate::poll::has_exited;

impl Flow {
    /// Drops the jobs of the workflow that `by` resumes that have ended without a value, so that their calls
    /// are made again. This happens once for each submission; its later runs continue from its own journal.
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
            // Failed items of an array are retried when the workflow makes that call.
            if cluster.is_array(&dir)? {
                continue;
            }
            // An `exited` outcome is not final: the backend reports by the id whether the job runs again.
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
            // A job that no source knows and that has left nothing is lost. If a source did not answer, the
            // wait decides.
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
    /// Returns whether the submission in `dir` is an array. Without a complete description it is not.
    pub(crate) fn is_array(&self, dir: &JobDir) -> Result<bool> {
        let text = self.backend().host().read(&dir.job_json(), 0)?.unwrap_or_default();
        let explanation = serde_json::from_slice::<Explanation>(&text);
        Ok(explanation.is_ok_and(|explanation| explanation.array.is_some()))
    }
}
