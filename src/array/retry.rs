//! Trying again what has failed.

use std::path::Path;

use slurm_core::layout::JobDir;
use slurm_core::options::{self, OptionSet, OptionValue, Source};
use slurm_core::registry::Registry;
use slurm_core::requeue::{OnTimeout, TaskRequeue};
use slurm_core::spec::{Items, Shares, Spec, Work};

use super::JobArray;
use super::attempts::{Note, Rival};
use super::prepare::{Parts, Settings, split};
use super::sharing::Chunk;
use super::submit::submit;
use crate::builder::CallOptions;
use crate::error::{Error, Result};
use crate::explain::Explanation;
use crate::submit::new_pre_id;
use crate::workflow;

impl<T> JobArray<T> {
    /// Submits the items again that have failed so far, and returns how many that are.
    ///
    /// They stay items of this array, at their positions, and are waited for and given as before. They run
    /// with the options that the array was submitted with, and wait for nothing. What another handle or process
    /// tries again in the same moment is submitted once: it is not counted here, but waited for as well.
    ///
    /// # Errors
    /// [`Error::Attempts`] if they were tried as often as
    /// [`max_attempts`](super::ArrayBuilder::max_attempts) allows; otherwise as
    /// [`submit`](super::ArrayBuilder::submit).
    pub fn retry_failed(&self) -> Result<usize> {
        crate::init::check_may_submit(&self.cluster)?;
        let mut rival = Rival::default();
        loop {
            // Another handle may have tried again meanwhile.
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
                && rival.wait(&self.cluster, claimed)?
            {
                continue;
            }
            let count = failed.len();
            let parts = self.prepare_again(failed.clone())?;
            let note = JobDir::at(&self.handle.dir).retry(noted.next);
            if self.try_again(&parts, &note, failed)? {
                // Whoever waits for the array may have been given all of it, and nobody looks any more.
                drop(self.watched()?);
                return Ok(count);
            }
        }
    }

    /// Submits the items `failed`, unless somebody else has claimed the attempt that `note` belongs to.
    fn try_again(&self, parts: &Parts, note: &Path, failed: Vec<u64>) -> Result<bool> {
        let host = self.cluster.backend().host();
        // Before it is submitted: a process that dies in between leaves a trace, by which the next one finds
        // the attempt.
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
        // Another thread may have found it already.
        self.watch.state().join(handle.attempt(Some(failed)));
        Ok(true)
    }

    fn prepare_again(&self, failed: Vec<u64>) -> Result<Parts> {
        let cluster = &self.cluster;
        let registry = Registry::get()?;
        let Some(entry) = registry.find(&self.handle.task) else {
            return Err(Error::Config {
                message: format!("this program has no task `{}`", self.handle.task),
                hint: "let the program try again that has submitted the array".to_owned(),
            });
        };
        let explanation = self.explain()?;
        let before = self.spec()?;
        let requeue = TaskRequeue {
            on_timeout: before.requeue.before_timeout.map(|_| OnTimeout::Requeue),
            max_requeues: Some(before.requeue.max),
        };
        let options = same_options(explanation)?;
        let options = CallOptions { options, requeue, ..CallOptions::default() };
        let Work::Items(items) = before.work else { return Err(self.damaged("it is no array")) };
        let most = cluster.backend().limits()?;
        let count = failed.len() as u64;
        let per_element = Chunk::Each.per_element(count, &most, || 1);
        let shares = Shares { selected: Some(failed), count, per_element };
        let pre_id = new_pre_id();
        let dir = JobDir::new(&cluster.jobs_dir(), entry.name, &pre_id);
        let max_running = max_running(explanation);
        let max_attempts = self.handle.max_attempts;
        // Workflows go on with the jobs that they have.
        let resumed = workflow::state_dir_of(cluster, &self.handle.dir)?;
        let settings = Settings { max_running, max_attempts, resumed, ..Settings::default() };
        let spec = Spec { pre_id, work: Work::Items(Items { shares, ..items }), ..before };
        let edges = |_, _| Ok(Vec::new());
        split(cluster, entry, &options, &spec, &dir, edges, &settings, true)
    }

    pub(super) fn spec(&self) -> Result<Spec> {
        let path = JobDir::at(&self.handle.dir).spec();
        let bytes = self.cluster.backend().host().read(&path, 0)?.unwrap_or_default();
        let (spec, frame) =
            Spec::from_bytes(&bytes).map_err(|error| self.damaged(&error.to_string()))?;
        if frame.signature != self.handle.signature {
            return Err(self.damaged("it is of a program with other parameter or return types"));
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
        hint: "submit the items anew".to_owned(),
    }
}

/// The options that a submission was made with, but for those that the library has set.
pub(super) fn same_options(explanation: &Explanation) -> Result<OptionSet> {
    let mut set = OptionSet::new();
    let skipped = ["array", "dependency", "kill_on_invalid_dep"];
    let given = explanation.options.iter().filter(|option| option.source != "default");
    for option in given.filter(|option| !skipped.contains(&option.key.as_str())) {
        let problem = |error: String| Error::Options { problems: vec![error] };
        let spec = options::lookup(&option.key).map_err(|error| problem(error.to_string()))?;
        let value = match &option.value {
            Some(value) => spec.parse(value)?,
            None => OptionValue::Flag,
        };
        set.set(spec, value, Source::CallSite);
    }
    for flag in &explanation.extra {
        set.extra(flag.clone())?;
    }
    Ok(set)
}

pub(super) fn max_running(explanation: &Explanation) -> Option<u32> {
    let array = explanation.options.iter().find(|option| option.key == "array")?;
    array.value.as_deref()?.parse::<options::ArraySpec>().ok()?.max_running()
}
