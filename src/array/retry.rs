//! Retries of failed items.

use std::path::Path;

use slurm_core::layout::JobDir;
use slurm_core::options::{OptionSet, Source};
use slurm_core::registry::Registry;
use slurm_core::spec::{Items, Shares, Spec, Work};

use super::JobArray;
use super::attempts::{Note, Rival};
use super::inputs::Inputs;
use super::prepare::{Parts, Settings, split};
use super::sharing::Chunk;
use super::submit::submit;
use crate::error::{Error, Result};
use crate::model::Explanation;
use crate::submit::workflow::state_dir_of;
use crate::submit::{CallOptions, new_submission_id};

impl<T> JobArray<T> {
    /// Submits all items again that have failed so far, and returns their number.
    ///
    /// They stay items of this array, at their positions, and all methods wait for them and return them as
    /// before. They run with exactly the options with which the array was submitted, whatever the Slurmfile of
    /// this process says. They take values of the newest attempts of other arrays and wait for those attempts;
    /// of all other dependencies only `singleton` holds. The program, the setup lines and the variables of the
    /// script are those of this process. If another handle or process retries the items at the same time, they
    /// are submitted once; this array waits for them too, but they are not counted here.
    ///
    /// # Errors
    /// [`Error::Attempts`] if the items were tried as often as
    /// [`max_attempts`](crate::ArrayBuilder::max_attempts) allows; otherwise the errors of
    /// [`submit`](crate::ArrayBuilder::submit).
    pub fn retry_failed(&self) -> Result<usize> {
        self.retry(None)
    }

    /// Does what [`retry_failed`](Self::retry_failed) does. A workflow that makes the call again passes its
    /// present `inputs`.
    pub(crate) fn retry(&self, inputs: Option<&Inputs>) -> Result<usize> {
        self.cluster.check_may_submit()?;
        let mut rival = Rival::default();
        loop {
            // Another handle may have retried items meanwhile.
            let noted = self.cluster.follow(self)?;
            let (failed, attempts) = {
                let state = self.watch.state();
                (state.failed(), state.attempts.len())
            };
            if failed.is_empty() {
                return Ok(0);
            }
            if attempts >= self.handle.max_attempts {
                return Err(Error::Attempts { items: failed.len(), attempts });
            }
            if let Some(claimed) = &noted.claimed
                && (rival.wait(&self.cluster, claimed)? || self.cluster.join(self, claimed)?)
            {
                continue;
            }
            let count = failed.len();
            let parts = self.prepare_again(failed.clone(), inputs)?;
            if let Some(run) = self.cluster.rehearsal() {
                let job = self.handle.parts.first().map(|part| part.job_id);
                job.iter().for_each(|job| run.record(*job, &parts.explanation()));
                return Ok(count);
            }
            let note = JobDir::at(&self.handle.dir).retry(noted.next);
            if self.try_again(&parts, &note, failed)? {
                // The watch may have ended with the last item, so start it again.
                drop(self.watched()?);
                return Ok(count);
            }
        }
    }

    /// Submits the items `failed`, unless another process has claimed the attempt that `note` belongs to.
    fn try_again(&self, parts: &Parts, note: &Path, failed: Vec<u64>) -> Result<bool> {
        let host = self.cluster.backend().host();
        // The note is written before the submission. If this process dies in between, the next one finds the
        // attempt by it.
        if !Note::new(parts.handle(&[])).claim(host, note)? {
            return Ok(false);
        }
        let handle = match submit(&self.cluster, parts, None) {
            Ok(handle) => handle,
            Err(error) => {
                if !error.leaves_submission_open() {
                    Note::withdrawn(parts.handle(&[])).replace(host, note);
                }
                return Err(error);
            }
        };
        Note::new(handle.clone()).replace(host, note);
        // Another thread may have added the attempt already.
        self.watch.state().join(handle.attempt(Some(failed)));
        Ok(true)
    }

    fn prepare_again(&self, failed: Vec<u64>, inputs: Option<&Inputs>) -> Result<Parts> {
        let cluster = &self.cluster;
        let registry = Registry::get()?;
        let Some(entry) = registry.find(&self.handle.task) else {
            return Err(Error::Config {
                message: format!("this program has no task `{}`", self.handle.task),
                hint: "retry the items with the program that submitted the array".to_owned(),
            });
        };
        let explanation = self.explain()?;
        let before = self.spec()?;
        let options = same_options(explanation)?;
        let prologue = explanation.prologue();
        let mut options =
            CallOptions { options, are_all: true, prologue, ..CallOptions::default() };
        let Work::Items(items) = before.work else {
            return Err(self.damaged("it is not the spec of an array"));
        };
        let most = cluster.backend().limits()?;
        let count = failed.len() as u64;
        // The time limit is unchanged, so an element must not get more items than before.
        let per_element = Chunk::Each.per_element(count, &most, || 1).min(items.shares.per_element);
        let shares = Shares { selected: Some(failed), count, per_element };
        let submission_id = new_submission_id();
        let dir = JobDir::new(&cluster.jobs_dir(), entry.name, &submission_id);
        let max_running = explanation.array.as_ref().and_then(|array| array.max_running);
        let max_attempts = self.handle.max_attempts;
        // The calls of workflows continue the journals that they have.
        let resumed = state_dir_of(cluster, &self.handle.dir)?;
        let settings = Settings { max_running, max_attempts, resumed, ..Settings::default() };
        let inputs = match inputs {
            Some(inputs) => inputs.clone(),
            None => Inputs::of_before(cluster, before.upstream, explanation)?,
        };
        options.options.merge(&inputs.options);
        if let Some(name) = &self.handle.cluster {
            // All attempts of an array are on one cluster, so that one survey finds them.
            options.options.put("clusters", name.as_str(), Source::CallSite)?;
        }
        let upstream = inputs.upstream.clone();
        let edges = |part, parts| Ok(inputs.edges(&shares, part, parts));
        let work = Work::Items(Items { shares: shares.clone(), ..items });
        let spec = Spec { submission_id, work, upstream, refused: Vec::new(), ..before };
        let stage = !cluster.is_dry_run();
        split(cluster, entry, &options, &spec, &dir, edges, &settings, stage)
    }

    pub(super) fn spec(&self) -> Result<Spec> {
        let path = JobDir::at(&self.handle.dir).spec();
        let bytes = self.cluster.backend().host().read(&path, 0)?.unwrap_or_default();
        let (spec, frame) =
            Spec::from_bytes(&bytes).map_err(|error| self.damaged(&error.to_string()))?;
        if frame.signature != self.handle.signature {
            return Err(
                self.damaged("it was written by a program with other parameter or return types")
            );
        }
        Ok(spec)
    }

    fn damaged(&self, reason: &str) -> Error {
        damaged(&JobDir::at(&self.handle.dir).spec(), reason)
    }
}

pub(super) fn damaged(path: &Path, reason: &str) -> Error {
    Error::Config {
        message: format!("{} cannot be used: {reason}", path.display()),
        hint: "submit the items again".to_owned(),
    }
}

/// Returns the options with which a submission was made, except those that name its dependencies, its elements
/// and its own files.
pub(super) fn same_options(explanation: &Explanation) -> Result<OptionSet> {
    const OF_WAITING: [&str; 3] = ["array", "dependency", "kill_on_invalid_dep"];
    const OF_SUBMISSION: [&str; 3] = ["comment", "output", "error"];
    let mut set = OptionSet::new();
    for option in &explanation.options {
        let (key, source) = (option.key.as_str(), option.set_by());
        let is_own = source == Source::Default && OF_SUBMISSION.contains(&key);
        if is_own || OF_WAITING.contains(&key) {
            continue;
        }
        // An empty value stands for an option without a value.
        set.put(key, option.value.as_deref().unwrap_or_default(), source)?;
    }
    for flag in &explanation.extra {
        set.extra(flag.clone())?;
    }
    Ok(set)
}
