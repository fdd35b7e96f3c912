//! Arrays that were submitted.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use once_cell::sync::OnceCell;
use slurm_core::codec::CodecError;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::spec::Shares;
use slurm_core::state::JobState;
use slurm_core::task::TaskEntry;

use super::reference::ItemRef;
use super::state::{Attempt, Slot, State};
use super::watch::ArrayWatch;
use crate::backend::Sighting;
use crate::cluster::Cluster;
use crate::error::{Error, Result, UpstreamFailure};
use crate::job::LONGEST_LOG;
use crate::model::{ArrayHandle, Explanation, Progress, Status, Warning};
use crate::poll::{Freshness, Subject};
use crate::progress::{self, About, Tale, View};

/// Many submitted calls, each of which will give a `T`.
///
/// Items are addressed by their position in the input of `map`. Dropping the handle changes nothing: the array
/// keeps running, and [`Cluster::attach_array`] finds it again, also from another process.
pub struct JobArray<T> {
    pub(super) cluster: Cluster,
    pub(super) handle: ArrayHandle,
    pub(super) decode: fn(&[u8]) -> Result<T, CodecError>,
    pub(super) watch: Arc<ArrayWatch>,
    explanation: OnceCell<Explanation>,
    pub(super) upstream: OnceCell<Vec<UpstreamFailure>>,
    /// Whether each element may have several processes; set by the first call that needs it.
    pub(super) has_values: OnceCell<bool>,
    /// Attempts for which end callbacks have run.
    pub(super) told: AtomicUsize,
    /// Progress output of the waits for this array.
    pub(super) tale: Tale,
    /// When this process began to submit it, if it did.
    pub(super) submitted_at: Option<Instant>,
    /// The time of the last answer about states.
    pub(super) answer: Freshness,
    /// The lines that sbatch printed when this process submitted the array.
    said: Vec<String>,
}

impl<T> fmt::Debug for JobArray<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobArray").field("handle", &self.handle).finish_non_exhaustive()
    }
}

/// The largest number of items: the client keeps some memory for each.
pub(super) const MAX_ITEMS: u64 = 100_000_000;

impl ArrayHandle {
    /// Returns the handle, which another process has written, if it can describe an array.
    pub(super) fn checked(self) -> Result<Self> {
        let shares =
            Shares { selected: None, count: self.items, per_element: self.items_per_element };
        let elements =
            self.parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.elements));
        let makes_sense = self.items <= MAX_ITEMS
            && self.items_per_element > 0
            && elements.is_some_and(|elements| elements <= shares.elements());
        if makes_sense {
            return Ok(self);
        }
        Err(Error::Config {
            message: format!(
                "the description of the array {} is damaged: {} items, {} in each of its elements, {} Slurm arrays",
                self.submission_id,
                self.items,
                self.items_per_element,
                self.parts.len()
            ),
            hint: "submit the items again".to_owned(),
        })
    }

    /// Returns the description of the array for progress output.
    pub(crate) fn about(&self, cluster: &Cluster) -> About {
        About {
            name: progress::short_name(&self.task),
            jobs: self.parts.iter().map(|part| part.job_id).collect(),
            place: cluster.backend().place(),
            dir: Some(self.dir.clone()),
            is_job: false,
        }
    }

    /// Returns whether each element is in one of the Slurm arrays.
    pub(super) fn is_whole(&self) -> bool {
        let elements: u64 = self.parts.iter().map(|part| part.elements).sum();
        elements >= self.items.div_ceil(self.items_per_element.max(1))
    }

    /// Returns the attempt that this submission is, with the items `selected`, or all.
    pub(super) fn attempt(&self, selected: Option<Vec<u64>>) -> Attempt {
        let shares = Shares { selected, count: self.items, per_element: self.items_per_element };
        let parts: Vec<_> = self.parts.iter().map(|part| (part.job_id, part.elements)).collect();
        Attempt::new(JobDir::at(&self.dir), shares, &parts)
    }
}

impl<T> JobArray<T> {
    pub(crate) fn new(
        cluster: &Cluster,
        handle: ArrayHandle,
        decode: fn(&[u8]) -> Result<T, CodecError>,
        explanation: Option<Explanation>,
    ) -> Self {
        let mut state = State::new(handle.signature, handle.items);
        if handle.items > 0 {
            state.begin(handle.attempt(None));
        }
        Self {
            cluster: cluster.at(handle.cluster.as_deref()),
            handle,
            decode,
            watch: Arc::new(ArrayWatch::new(state)),
            submitted_at: None,
            answer: Freshness::default(),
            said: Vec::new(),
            explanation: explanation.map_or_else(OnceCell::new, OnceCell::with_value),
            upstream: OnceCell::new(),
            has_values: OnceCell::new(),
            told: AtomicUsize::new(0),
            tale: Tale::default(),
        }
    }

    /// Returns the array with the time at which its submission began, which may have taken long, and the lines
    /// of sbatch.
    pub(crate) fn submitted(self, began: Instant) -> Self {
        let said = self.cluster.backend().said_of(&self.handle.submission_id);
        Self { submitted_at: Some(began), said, ..self }
    }

    /// Returns an array without items, for which nothing was submitted.
    pub(crate) fn empty(
        cluster: &Cluster,
        entry: &TaskEntry,
        decode: fn(&[u8]) -> Result<T, CodecError>,
    ) -> Self {
        let handle = ArrayHandle {
            submission_id: crate::submit::new_submission_id(),
            task: entry.name.to_owned(),
            signature: entry.signature,
            dir: PathBuf::new(),
            parts: Vec::new(),
            items: 0,
            items_per_element: 1,
            max_attempts: 1,
            cluster: None,
        };
        Self::new(cluster, handle, decode, None)
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.handle.items as usize
    }

    /// Returns whether there are no items. In that case nothing was submitted.
    pub fn is_empty(&self) -> bool {
        self.handle.items == 0
    }

    /// Returns the submission's id. It stays unique when Slurm reuses job ids.
    pub fn submission_id(&self) -> &SubmissionId {
        &self.handle.submission_id
    }

    /// Returns the ids of the Slurm arrays. There is one, unless there are more elements than an array may
    /// have; without items there is none.
    pub fn job_ids(&self) -> impl Iterator<Item = JobId> + '_ {
        self.handle.parts.iter().map(|part| part.job_id)
    }

    /// Returns the handle with which another process can [attach](Cluster::attach_array) to the array.
    pub fn handle(&self) -> &ArrayHandle {
        &self.handle
    }

    /// Returns the directory of the submission, on the machine that has its files.
    pub fn job_dir(&self) -> &std::path::Path {
        &self.handle.dir
    }

    /// Returns the item `index` as an argument for other tasks.
    ///
    /// A job that takes it waits only for the element that makes the item in its latest attempt so far. If the
    /// item has no value, the job ends as [`DependencyFailed`](crate::JobErrorKind::DependencyFailed) and names
    /// the item and its error. Slurm does not start the job if the end of the element shows this; otherwise the
    /// job ends as soon as it runs.
    ///
    /// The same holds for `map`: a call fails if an item that it takes has no value. Arrays of the same shape
    /// follow each other element by element, so an element whose predecessor fails makes none of its calls. In
    /// any other order an array begins when all elements that it needs have ended, with or without success. If
    /// it needs more than 50 elements, it waits for the whole array.
    ///
    /// ```no_run
    /// # #[slurm::task]
    /// # fn train(seed: u64) -> f64 { seed as f64 }
    /// # #[slurm::task]
    /// # fn evaluate(model: f64) -> f64 { model }
    /// # fn main() -> slurm::Result<()> {
    /// # let cluster = slurm::Cluster::local()?;
    /// let models = train::map(0..10).submit(&cluster)?;
    /// let first = evaluate::job(models.item(0)).submit(&cluster)?;
    /// let all = evaluate::map(&models).submit(&cluster)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// If there is no such item.
    #[track_caller]
    #[allow(clippy::panic, reason = "as indexing a slice does")]
    pub fn item(&self, index: usize) -> ItemRef<T> {
        if index >= self.len() {
            panic!("item {index} of an array with {} items", self.len());
        }
        ItemRef::new(self.reference(), index as u64)
    }

    /// Returns the last known progress of the array without asking the backend. [`refresh`](Self::refresh) and
    /// all methods that wait update it.
    pub fn progress(&self) -> Progress {
        self.watch.state().progress()
    }

    /// Looks for results, asks the backend, and returns the progress of the array.
    ///
    /// # Errors
    /// If the backend cannot be asked.
    pub fn refresh(&self) -> Result<Progress> {
        self.cluster.check_is_real(&self.handle.task)?;
        let began = Instant::now();
        self.cluster.poller().refresh(&self.subject())?;
        self.answer.answered(began);
        self.tell_end();
        Ok(self.progress())
    }

    /// Refreshes the array unless the last answer is newer than a poll interval.
    fn refresh_if_old(&self) -> Result<()> {
        let interval = self.cluster.backend().cadence().survey.0;
        if self.watch.is_settled() || self.answer.holds(interval) {
            return Ok(());
        }
        self.refresh().map(|_| ())
    }

    /// Returns the state of the item `index`: its own if it has ended, otherwise the state of its element.
    ///
    /// The state is no older than a poll interval (half a second on Slurm, two round trips if they take longer,
    /// 20 ms on the embedded backend), so a loop over all items asks once. [`refresh`](Self::refresh) always
    /// asks.
    ///
    /// # Errors
    /// If the backend cannot be asked.
    pub fn state(&self, index: usize) -> Result<JobState> {
        self.refresh_if_old()?;
        Ok(self.last_state(index))
    }

    fn last_state(&self, index: usize) -> JobState {
        let state = self.watch.state();
        match state.slot(index as u64) {
            Some(Slot::Value(..)) => JobState::Completed,
            Some(Slot::Failed(..)) => JobState::Failed,
            _ => state.last_seen(index as u64).map_or(JobState::Pending, |seen| seen.state.clone()),
        }
    }

    /// Returns the status of the item `index`: its [`state`](Self::state), with the reason, nodes and start of its
    /// element. It costs as much as `state`, and is as old.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn status(&self, index: usize) -> Result<Status> {
        let state = self.state(index)?;
        let seen = self.watch.state().last_seen(index as u64).map(Sighting::status);
        Ok(match seen {
            Some(seen) if seen.state == state => seen,
            _ => Status::of(state),
        })
    }

    /// Returns the statuses of the elements that have not ended, without nodes and start times, each with the
    /// number of elements that have it. It costs as much as [`state`](Self::state). [`Status::blocked`] finds
    /// statuses of elements that can never start.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn statuses(&self) -> Result<Vec<(Status, usize)>> {
        self.refresh_if_old()?;
        Ok(self.watch.statuses())
    }

    /// Returns whether every item has a value or has failed. It costs as much as [`state`](Self::state).
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn is_finished(&self) -> Result<bool> {
        self.refresh_if_old()?;
        Ok(self.watch.is_settled())
    }

    /// Returns the warnings about the array without asking the backend: the warnings of its submission, if this
    /// process submitted it, and the reasons why elements can never start, if a wait or
    /// [`refresh`](Self::refresh) has seen them.
    pub fn warnings(&self) -> Vec<Warning> {
        let explained = self.explanation.get().map_or(&[][..], |known| &known.warnings);
        Warning::all(explained, &self.said, &self.watch.statuses())
    }

    /// Returns the standard output so far of the element of the item `index`. The calls of an
    /// element share the log. Of a log with more than 64 MiB, the last 64 MiB are returned.
    ///
    /// # Errors
    /// If the file cannot be read or is not a regular file, or if an option has put the log elsewhere.
    pub fn stdout(&self, index: usize) -> Result<String> {
        self.log(index, "output", JobDir::element_stdout)
    }

    /// Returns the standard error so far of the element of the item `index`; see
    /// [`stdout`](Self::stdout).
    ///
    /// # Errors
    /// As [`stdout`](Self::stdout).
    pub fn stderr(&self, index: usize) -> Result<String> {
        self.log(index, "error", JobDir::element_stderr)
    }

    fn log(
        &self,
        index: usize,
        key: &str,
        path: impl Fn(&JobDir, JobId, u32) -> PathBuf,
    ) -> Result<String> {
        let found = {
            let state = self.watch.state();
            let mut attempts = state.attempts.iter().rev();
            attempts.find_map(|attempt| {
                let (job, index) = attempt.place(attempt.shares.element_of(index as u64)?)?;
                Some(path(&attempt.dir, job, index))
            })
        };
        let elsewhere = |explanation: &Explanation| {
            let set = explanation.options.iter().find(|option| option.key == key);
            set.is_some_and(|option| option.source != "default")
        };
        let config = |message: String, hint: &str| Error::Config { message, hint: hint.to_owned() };
        let Some(path) = found else {
            let message = format!("there is no item {index}");
            return Err(config(message, "items are counted from 0"));
        };
        if self.explain().is_ok_and(elsewhere) {
            let message = format!("the option `{key}` puts the logs elsewhere");
            return Err(config(message, "read the file that the option names"));
        }
        let bytes = self.cluster.backend().host().read_end(&path, LONGEST_LOG)?;
        Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
    }

    /// Returns the description of the submission: the options with the source of each, and the script of the
    /// first Slurm array.
    ///
    /// # Errors
    /// If the array has no items, or if another process submitted it and the description cannot be read.
    pub fn explain(&self) -> Result<&Explanation> {
        self.explanation.get_or_try_init(|| {
            let path = JobDir::at(&self.handle.dir).job_json();
            let text = self.cluster.backend().host().read(&path, 0)?.unwrap_or_default();
            serde_json::from_slice(&text).map_err(|error| Error::Config {
                message: format!("{} is damaged: {error}", path.display()),
                hint: "the results of the array do not depend on it and can still be fetched"
                    .to_owned(),
            })
        })
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns the description of the array for progress output.
    pub(crate) fn about(&self) -> About {
        self.handle.about(&self.cluster)
    }

    pub(super) fn view(&self) -> View {
        let silences = self.cluster.poller().silences();
        View { progress: self.progress(), statuses: self.watch.statuses(), silences }
    }

    pub(crate) fn subject(&self) -> Arc<dyn Subject> {
        self.watch.clone()
    }
}
