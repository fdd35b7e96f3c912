//! An array that is not yet submitted.

use std::fmt;
use std::marker::PhantomData;
use std::time::Instant;

use slurm_core::task::Task;

use crate::array::{
    ArraySettings as Settings, CallArguments, Chunk, JobArray, prepare, spool, submit,
};
use crate::cluster::{Cluster, Submitter};
use crate::error::Result;
use crate::model::Explanation;
use crate::submit::{CallOptions, new_submission_id};
use crate::{graph, workflow};

/// Many calls of a task, with the options for each element of the Slurm array that will make them;
/// [`submit`](Self::submit) makes it a [`JobArray`].
///
/// `train::map(items)` returns one. The items are taken one by one when the array is submitted, and
/// never held in memory together. There is a method for each of sbatch's options, as on
/// [`JobBuilder`](crate::JobBuilder).
#[must_use = "a builder does nothing until it is submitted"]
pub struct ArrayBuilder<'a, T> {
    items: Box<dyn Iterator<Item = CallArguments> + 'a>,
    pub(crate) options: CallOptions,
    settings: Settings,
    task: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for ArrayBuilder<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the items: what is passed to tasks is nobody else's business.
        f.debug_struct("ArrayBuilder")
            .field("options", &self.options.options)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl<'a, T: Task> ArrayBuilder<'a, T> {
    /// Returns the builder of an array that makes `calls`; the attribute macro's part.
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
    /// If the items take several Slurm arrays, the number is divided among them; each may run at least
    /// one.
    pub fn max_running(mut self, elements: u32) -> Self {
        if elements == 0 {
            self.options.problems.push("`max_running(0)` would let nothing run".to_owned());
        }
        self.settings.max_running = Some(elements);
        self
    }

    /// Makes `items` calls in each element, one after another.
    ///
    /// By default an element makes one call, as long as the cluster allows as many elements in an array
    /// (`MaxArraySize`); with more items each makes as many as needed.
    pub fn chunk(mut self, items: u64) -> Self {
        if items == 0 {
            self.options.problems.push("`chunk(0)` would leave elements without work".to_owned());
        }
        self.settings.chunk = Chunk::Of(items);
        self
    }

    /// Makes as many calls in each element as keep every slot that the array may use busy, with four
    /// elements for each slot, so that calls need not take equally long.
    ///
    /// A slot is what one element takes: [`max_running`](Self::max_running) tells how many there are, or else
    /// the CPUs of the partition divided by those of an element.
    pub fn chunk_auto(mut self) -> Self {
        self.settings.chunk = Chunk::Auto;
        self
    }

    /// Makes up to `threads` calls of an element at the same time, on threads of one process.
    ///
    /// Unless `cpus_per_task` is set, it becomes this number.
    pub fn threads(mut self, threads: u32) -> Self {
        if threads == 0 {
            self.options.problems.push("`threads(0)` would let nothing run".to_owned());
        }
        self.settings.threads = threads;
        self
    }

    /// Bounds how often an item may be tried, with [`retry_failed`](JobArray::retry_failed); 3 times unless
    /// this says otherwise.
    pub fn max_attempts(mut self, attempts: usize) -> Self {
        self.settings.max_attempts = attempts.max(1);
        self
    }

    /// Runs each element only after the element of the same index of `array` has succeeded.
    ///
    /// Both arrays have to have the same number of elements in the same Slurm arrays. `map(&array)` does
    /// this by itself where it can.
    pub fn after_corr<U>(mut self, array: &JobArray<U>) -> Self {
        self.settings.corresponding.push(array.reference());
        self
    }

    /// Submits the array.
    ///
    /// Takes the items one by one and writes them to one file, then calls sbatch once for each Slurm array
    /// that they take: one, unless [`chunk`](Self::chunk) makes more elements than an array may have.
    /// Without items nothing is submitted, and the array has no results.
    ///
    /// # Errors
    /// [`Error::Item`](crate::Error::Item) if an item cannot be sent; otherwise as [`JobBuilder::submit`](crate::JobBuilder::submit).
    /// Nothing is submitted then, unless the error is [`SubmitError::Unknown`](crate::error::SubmitError::Unknown).
    pub fn submit(self, cluster: &impl AsRef<Cluster>) -> Result<JobArray<T::Output>> {
        let cluster = cluster.as_ref();
        cluster.check_may_submit()?;
        let Self { items, options, settings, .. } = self;
        if let Submitter::Plan { planner, .. } = cluster.submitter() {
            let spooled = spool(cluster, items, false)?;
            return graph::submit_array::<T>(planner, cluster, &spooled, options, &settings);
        }
        if let Some(planner) = cluster.rehearsal() {
            let spooled = spool(cluster, items, false)?;
            return graph::rehearse_array::<T>(planner, cluster, &spooled, options, &settings);
        }
        let spooled = spool(cluster, items, true)?;
        if spooled.count() == 0 {
            return Ok(JobArray::empty(cluster, T::entry(), T::decode_output));
        }
        if let Submitter::Workflow(flow) = cluster.submitter() {
            return workflow::submit_array::<T>(flow, cluster, &spooled, options, &settings);
        }
        let parts = prepare::<T>(cluster, &spooled, options, &settings, new_submission_id(), true)?;
        let began = Instant::now();
        let handle = submit(cluster, &parts, Some(&spooled))?;
        let array = JobArray::new(cluster, handle, T::decode_output, Some(parts.explanation()));
        Ok(array.submitted(began))
    }

    /// Returns what [`submit`](Self::submit) would submit; the first Slurm array, if there are several.
    ///
    /// # Errors
    /// As `submit`, as far as it can be known without submitting.
    pub fn explain(self, cluster: &impl AsRef<Cluster>) -> Result<Explanation> {
        let cluster = cluster.as_ref();
        let spooled = spool(cluster, self.items, false)?;
        prepare::<T>(cluster, &spooled, self.options, &self.settings, new_submission_id(), false)
            .map(|parts| parts.explanation())
    }
}
