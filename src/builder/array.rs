//! An array that is not yet submitted.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::task::Task;

use super::earlier;
use crate::array::{
    ArraySettings as Settings, CallArguments, Chunk, Inputs, JobArray, Parts, Spooled, enqueue,
    prepare, spool, submit,
};
use crate::cluster::{Claim, Cluster, Key, Ledger, Noted};
use crate::error::{Error, OptionProblem, Result};
use crate::model::Explanation;
use crate::submit::{CallOptions, new_submission_id};

/// Many calls of a task, with the options for each element of the Slurm array that will make them.
/// [`submit`](Self::submit) turns it into a [`JobArray`].
///
/// `train::map(items)` returns one. The items are read one by one when the array is submitted, and never held
/// in memory together. Each option of sbatch has a method, as on [`JobBuilder`](crate::JobBuilder).
#[must_use = "a builder does nothing until it is submitted"]
pub struct ArrayBuilder<'a, T> {
    items: Box<dyn Iterator<Item = CallArguments> + 'a>,
    pub(crate) options: CallOptions,
    settings: Settings,
    task: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for ArrayBuilder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The items are left out, because arguments of tasks may be confidential.
        f.debug_struct("ArrayBuilder")
            .field("options", &self.options.options)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<'a, T: Task> ArrayBuilder<'a, T> {
    /// Returns the builder of an array that makes `calls`; for the attribute macro.
    #[doc(hidden)]
    pub fn new(calls: impl Iterator<Item = CallArguments> + 'a) -> Self {
        Self {
            items: Box::new(calls),
            options: CallOptions::default(),
            settings: Settings::default(),
            task: PhantomData,
        }
    }

    /// Lets at most `elements` of the array run at once, as `%` does in sbatch's `--array`.
    ///
    /// If the items take several Slurm arrays, the number is divided among them; each may run at least one
    /// element.
    pub fn max_running(mut self, elements: u32) -> Self {
        if elements == 0 {
            self.options.refuse(nothing("max_running", "would let nothing run"));
        }
        self.settings.max_running = Some(elements);
        self
    }

    /// Makes `items` calls in each element, one after another.
    ///
    /// By default an element makes one call. If there are more items than the cluster allows elements in an
    /// array (`MaxArraySize`), each element makes as many calls as needed.
    pub fn chunk(mut self, items: u64) -> Self {
        if items == 0 {
            self.options.refuse(nothing("chunk", "would leave elements without work"));
        }
        self.settings.chunk = Chunk::Of(items);
        self
    }

    /// Divides the calls among elements so that every slot is busy: four elements for each slot, so that the
    /// calls need not take equally long.
    ///
    /// A slot is the room for one element. Their number is [`max_running`](Self::max_running) if set, otherwise
    /// the CPUs of the partition divided by the CPUs of an element.
    pub fn chunk_auto(mut self) -> Self {
        self.settings.chunk = Chunk::Auto;
        self
    }

    /// Makes up to `threads` calls of an element at the same time, on threads of one process.
    ///
    /// Unless `cpus_per_task` is set, it becomes this number.
    pub fn threads(mut self, threads: u32) -> Self {
        if threads == 0 {
            self.options.refuse(nothing("threads", "would let nothing run"));
        }
        self.settings.threads = threads;
        self
    }

    /// Limits how often an item is tried by [`retry_failed`](JobArray::retry_failed). The default is 3.
    pub fn max_attempts(mut self, attempts: usize) -> Self {
        self.settings.max_attempts = attempts.max(1);
        self
    }

    /// Starts each element only after the element of the same index of `array` has succeeded.
    ///
    /// Both arrays must have the same number of elements in the same number of Slurm arrays. `map(&array)` sets
    /// this dependency where it can.
    pub fn after_corr<U>(mut self, array: &JobArray<U>) -> Self {
        self.settings.corresponding.push(array.reference());
        self
    }

    /// Submits the array.
    ///
    /// Reads the items one by one and writes them to one file. Then calls sbatch once for each Slurm array:
    /// once, unless [`chunk`](Self::chunk) makes more elements than a Slurm array may have. Without items
    /// nothing is submitted, and the array has no results.
    ///
    /// # Errors
    /// [`Error::Item`](crate::Error::Item) if an item cannot be encoded; otherwise the errors of
    /// [`JobBuilder::submit`](crate::JobBuilder::submit).
    /// After an error nothing was submitted, unless the error is
    /// [`SubmitError::Unknown`](crate::error::SubmitError::Unknown).
    pub fn submit(self, cluster: &impl AsRef<Cluster>) -> Result<JobArray<T::Output>> {
        let cluster = cluster.as_ref();
        cluster.check_may_submit()?;
        let Self { items, options, settings, .. } = self;
        let (entry, ledger) = (T::entry(), Arc::clone(cluster.ledger()));
        let spooled = spool(cluster, items, ledger.sends())?;
        if spooled.count() == 0 {
            return Ok(JobArray::empty(cluster, entry, T::decode_output));
        }
        let claim = ledger.claim(&|| {
            let (digest, shape) = spooled.digest()?;
            Ok((Key::of_digest(entry.name, entry.signature, &digest), shape))
        })?;
        let (ledger, claimed) = (ledger.as_ref(), claim.as_ref());
        let call = Call::<T> {
            ledger,
            cluster,
            spooled,
            options,
            settings,
            claim: claimed,
            task: PhantomData,
        };
        let array = call.submit();
        if let (Some(claim), Err(_)) = (&claim, &array) {
            // If the program tries again, that is the same call.
            ledger.release(claim);
        }
        array
    }

    /// Returns a description of the submission that [`submit`](Self::submit) would make; of the first Slurm array, if there
    /// are several.
    ///
    /// # Errors
    /// The errors of `submit`, as far as they can be known without submitting.
    pub fn explain(self, cluster: &impl AsRef<Cluster>) -> Result<Explanation> {
        let cluster = cluster.as_ref();
        let spooled = spool(cluster, self.items, false)?;
        prepare::<T>(cluster, &spooled, self.options, &self.settings, new_submission_id(), false)
            .map(|parts| parts.explanation())
    }
}

/// Returns that `setting` is 0.
fn nothing(setting: &str, consequence: &str) -> OptionProblem {
    OptionProblem::with_value(setting, "0", format!("`{setting}(0)` {consequence}"))
}

/// A submission of an array whose call the ledger has claimed.
struct Call<'a, T> {
    ledger: &'a dyn Ledger,
    cluster: &'a Cluster,
    spooled: Spooled,
    options: CallOptions,
    settings: Settings,
    claim: Option<&'a Claim>,
    task: PhantomData<fn() -> T>,
}

impl<T: Task> Call<'_, T> {
    fn submit(self) -> Result<JobArray<T::Output>> {
        let Some(child) = self.claim.and_then(|claim| claim.child.as_ref()) else {
            return self.submit_new();
        };
        let Self { cluster, .. } = self;
        let host = cluster.backend().host();
        let dir = earlier::dir_of(cluster, T::entry(), child);
        if child.job_ids.is_empty() && host.read(&dir.submitted(), 0)?.is_none() {
            let parts = self.prepare(child.submission_id.clone())?;
            let known = earlier::parts(cluster, child, &dir, &parts)?;
            if known.iter().all(Option::is_none) {
                // Nothing was submitted, but some of the files may be there.
                host.remove_dir(dir.path())?;
                return self.send(&parts);
            }
            let ids = enqueue(cluster, &parts, &known)?;
            let chosen = cluster.backend().chosen_for(&child.submission_id);
            self.ledger.note(&child.submission_id, Noted::Jobs(&ids, chosen.as_deref()));
        }
        let array = cluster.attach_array::<T>(&child.submission_id)?;
        if child.is_inherited {
            // A resumed workflow runs failed calls again. Items that were tried too often keep their errors.
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

    fn submit_new(&self) -> Result<JobArray<T::Output>> {
        let parts = self.prepare(new_submission_id())?;
        let explanation = parts.explanation();
        if let Some((job_id, there)) =
            self.ledger.record(self.cluster, &explanation, T::entry(), None)?
        {
            let handle = parts.handle(&vec![job_id; parts.submissions.len()]);
            return Ok(JobArray::new(&there, handle, T::decode_output, Some(explanation)));
        }
        if let Some(claim) = self.claim {
            self.ledger.intend(claim, parts.submission_id())?;
        }
        self.send(&parts)
    }

    fn prepare(&self, submission_id: SubmissionId) -> Result<Parts> {
        let (options, stage) = (self.options.clone(), self.ledger.sends());
        prepare::<T>(self.cluster, &self.spooled, options, &self.settings, submission_id, stage)
    }

    fn send(&self, parts: &Parts) -> Result<JobArray<T::Output>> {
        let began = Instant::now();
        let submitted = submit(self.cluster, parts, Some(&self.spooled));
        let ids: Vec<JobId>;
        let noted = match &submitted {
            Ok(handle) => {
                ids = handle.parts.iter().map(|part| part.job_id).collect();
                Some(Noted::Jobs(&ids, handle.cluster.as_deref()))
            }
            Err(error) => Noted::of_error(error),
        };
        if let Some(noted) = noted {
            self.ledger.note(parts.submission_id(), noted);
        }
        let explanation = Some(parts.explanation());
        let array = JobArray::new(self.cluster, submitted?, T::decode_output, explanation);
        Ok(array.submitted(began))
    }
}
