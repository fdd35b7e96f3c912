//! Trying again what has failed, and finding arrays of other processes.

use std::path::Path;

use serde::de::DeserializeOwned;
use slurm_core::ids::PreId;
use slurm_core::layout::JobDir;
use slurm_core::options::{self, OptionSet, OptionValue, Source};
use slurm_core::registry::Registry;
use slurm_core::requeue::{OnTimeout, TaskRequeue};
use slurm_core::spec::{Items, Shares, Spec, Work};
use slurm_core::state::JobState;
use slurm_core::task::Task;

use super::handle::ArrayPart;
use super::prepare::{Parts, Settings, split};
use super::sharing::Chunk;
use super::submit::submit;
use super::{ArrayHandle, JobArray};
use crate::builder::CallOptions;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::explain::Explanation;
use crate::submit::{Submitted, new_pre_id};

impl<T> JobArray<T> {
    /// Submits the items again that have failed so far, and returns how many that are.
    ///
    /// They stay items of this array, at their positions, and are waited for and given as before. They run
    /// with the options that the array was submitted with, and wait for nothing.
    ///
    /// # Errors
    /// [`Error::Attempts`] if they were tried as often as
    /// [`max_attempts`](super::ArrayBuilder::max_attempts) allows; otherwise as
    /// [`submit`](super::ArrayBuilder::submit).
    pub fn retry_failed(&self) -> Result<usize> {
        crate::init::check_may_submit(&self.cluster)?;
        // Another handle may have tried again meanwhile.
        self.cluster.follow(self)?;
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
        let count = failed.len();
        let note = JobDir::at(&self.handle.dir).retry(attempts);
        let parts = self.prepare_again(failed.clone())?;
        // Before it is submitted: a process that dies in between leaves a trace, by which the next one finds
        // the attempt.
        self.note(&note, &parts.handle(&[]))?;
        let handle = submit(&self.cluster, &parts, None)?;
        if let Err(error) = self.note(&note, &handle) {
            log::warn!("the ids of the new attempt could not be noted: {error}");
        }
        self.watch.state().begin(handle.attempt(Some(failed)));
        // Whoever waits for the array may have been given all of it, and nobody looks any more.
        drop(self.watched()?);
        Ok(count)
    }

    fn note(&self, path: &Path, handle: &ArrayHandle) -> Result<()> {
        let json = serde_json::to_vec(handle)
            .map_err(|error| Error::Options { problems: vec![error.to_string()] })?;
        Ok(self.cluster.backend().host().write(path, &json)?)
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
        let settings = Settings { max_running, max_attempts, ..Settings::default() };
        let spec = Spec { pre_id, work: Work::Items(Items { shares, ..items }), ..before };
        let edges = |_, _| Ok(Vec::new());
        split(cluster, entry, &options, &spec, &dir, edges, &settings, true)
    }

    fn spec(&self) -> Result<Spec> {
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

fn damaged(path: &Path, reason: &str) -> Error {
    Error::Config {
        message: format!("{} cannot be used: {reason}", path.display()),
        hint: "submit the items anew".to_owned(),
    }
}

/// The options that a submission was made with, but for those that the library has set.
fn same_options(explanation: &Explanation) -> Result<OptionSet> {
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

fn max_running(explanation: &Explanation) -> Option<u32> {
    let array = explanation.options.iter().find(|option| option.key == "array")?;
    array.value.as_deref()?.parse::<options::ArraySpec>().ok()?.max_running()
}

impl Cluster {
    /// Returns an array of the task `T` that any process has submitted, by its submission's id or by its
    /// handle, with all attempts.
    ///
    /// # Errors
    /// [`Error::NoSuchJob`] if it is not found, [`Error::OtherTask`] if it is of another task.
    pub fn attach_array<T: Task>(
        &self,
        array: impl Into<ArrayName>,
    ) -> Result<JobArray<T::Output>> {
        let handle = match array.into() {
            ArrayName::Handle(handle) => *handle,
            ArrayName::PreId(pre_id) => self.array_handle(T::entry().name, &pre_id)?,
        };
        if handle.task != T::entry().name {
            return Err(Error::OtherTask {
                id: handle.parts.first().map(|part| part.job_id),
                expected: T::entry().name,
                found: handle.task,
            });
        }
        // Results of a program with other types are refused when they are read.
        let handle = ArrayHandle { signature: T::entry().signature, ..handle };
        let array = JobArray::new(self, handle, T::decode_output, None);
        self.follow(&array)?;
        Ok(array)
    }

    /// Returns the attempts after the first `known` ones of the array in `dir`.
    pub(crate) fn attempts_of(&self, dir: &JobDir, known: usize) -> Result<Vec<ArrayHandle>> {
        let mut attempts = Vec::new();
        for attempt in known.max(1).. {
            let Some(handle) = self.json::<ArrayHandle>(&dir.retry(attempt))? else { break };
            if !handle.parts.is_empty() {
                attempts.push(handle);
                continue;
            }
            // Its client died before it could note the ids, or was refused.
            let dir = JobDir::at(&handle.dir);
            let Some(explanation) = self.json(&dir.job_json())? else { continue };
            match self.handle_of_array(&dir, &explanation) {
                Err(Error::NoSuchJob { .. }) => {}
                other => attempts.push(other?),
            }
        }
        Ok(attempts)
    }

    /// Makes the attempts known that came after the first one.
    fn follow<V>(&self, array: &JobArray<V>) -> Result<()> {
        if array.is_empty() {
            return Ok(());
        }
        let known = array.watch.state().attempts.len();
        for handle in self.attempts_of(&JobDir::at(&array.handle.dir), known)? {
            let again = JobArray::<()>::new(self, handle, |_| Ok(()), None);
            let Work::Items(items) = again.spec()?.work else { break };
            let mut state = array.watch.state();
            // What it tries again has failed in the attempts before.
            state.leave(items.shares.selected.as_deref().unwrap_or_default());
            state.begin(again.handle.attempt(items.shares.selected));
        }
        Ok(())
    }

    fn array_handle(&self, task: &str, pre_id: &PreId) -> Result<ArrayHandle> {
        let dir = JobDir::new(&self.jobs_dir(), task, pre_id);
        let unknown = || Error::NoSuchJob {
            wanted: pre_id.to_string(),
            place: format!("as an array of `{task}` in {}", self.job_base_dir().display()),
        };
        let explanation: Explanation = self.json(&dir.job_json())?.ok_or_else(unknown)?;
        self.handle_of_array(&dir, &explanation)
    }

    /// Returns the handle of the array that `explanation` describes, whose submission is in `dir`.
    fn handle_of_array(&self, dir: &JobDir, explanation: &Explanation) -> Result<ArrayHandle> {
        let pre_id = &explanation.pre_id;
        let unknown = || Error::NoSuchJob {
            wanted: pre_id.to_string(),
            place: format!("as an array in {}", dir.path().display()),
        };
        let array = explanation.array.as_ref().ok_or_else(unknown)?;
        let note: Option<Submitted> = self.json(&dir.submitted())?;
        let ids = match note {
            Some(note) => [vec![note.job_id], note.further].concat(),
            // Its client died before it could note them.
            None => {
                let mut ids = Vec::new();
                while let Some(id) = self.backend().id_of(pre_id, ids.len() as u32)? {
                    ids.push(id);
                }
                ids
            }
        };
        let limits = self.backend().limits()?;
        let sizes = super::sharing::parts(array.elements, limits.elements);
        if ids.is_empty() {
            return Err(unknown());
        }
        let parts = ids.into_iter().zip(sizes);
        Ok(ArrayHandle {
            pre_id: pre_id.clone(),
            signature: explanation.signature,
            dir: dir.path().to_owned(),
            parts: parts.map(|(job_id, elements)| ArrayPart { job_id, elements }).collect(),
            items: array.items,
            items_per_element: array.items_per_element,
            max_attempts: array.max_attempts,
            task: explanation.task.clone(),
        })
    }

    /// Returns the state of the array in `dir` as a whole, with the items of all attempts; `None` if it is not
    /// known.
    pub(crate) fn array_state(&self, dir: &Path) -> Result<Option<JobState>> {
        let explanation: Option<Explanation> = self.json(&JobDir::at(dir).job_json())?;
        let Some(explanation) = explanation else { return Ok(None) };
        let handle = match self.handle_of_array(&JobDir::at(dir), &explanation) {
            Err(Error::NoSuchJob { .. }) => return Ok(None),
            other => other?,
        };
        let array = JobArray::<()>::new(self, handle, |_| Ok(()), None);
        self.follow(&array)?;
        let progress = array.refresh()?;
        Ok(Some(match progress.items - progress.ended() {
            0 if progress.failed == 0 => JobState::Completed,
            0 => JobState::Failed,
            _ if progress.running > 0 => JobState::Running,
            _ => JobState::Pending,
        }))
    }

    /// Reads a file that describes a submission.
    fn json<V: DeserializeOwned>(&self, path: &Path) -> Result<Option<V>> {
        let bytes = self.backend().host().read(path, 0)?;
        // One that is empty is being written.
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(path, &error.to_string()))
    }
}

/// A way to name an array: by its submission's id, or by its handle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArrayName {
    /// The id of the submission.
    PreId(PreId),
    /// A handle of another process.
    Handle(Box<ArrayHandle>),
}

impl From<PreId> for ArrayName {
    fn from(pre_id: PreId) -> Self {
        Self::PreId(pre_id)
    }
}

impl From<&PreId> for ArrayName {
    fn from(pre_id: &PreId) -> Self {
        Self::PreId(pre_id.clone())
    }
}

impl From<ArrayHandle> for ArrayName {
    fn from(handle: ArrayHandle) -> Self {
        Self::Handle(Box::new(handle))
    }
}

impl From<&ArrayHandle> for ArrayName {
    fn from(handle: &ArrayHandle) -> Self {
        Self::Handle(Box::new(handle.clone()))
    }
}
