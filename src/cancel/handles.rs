//! The methods of jobs and arrays that cancel them.

use super::children::{cancel_children, is_plain};
use crate::array::JobArray;
use crate::backend::Asked;
use crate::error::Result;
use crate::job::Job;

impl<T> Job<T> {
    /// Cancels the job; one that has ended already stays as it is. With a workflow go the jobs that it has
    /// submitted and that have not ended, also if the workflow itself has.
    ///
    /// # Errors
    /// If the backend cannot be asked. [`Error::NoSuchJob`](crate::Error::NoSuchJob) if the backend does not know the job, and the job has
    /// not been seen to end.
    pub fn cancel(&self) -> Result<()> {
        let cancelled = self.cancel_alone()?;
        let handle = self.handle();
        // The jobs of a workflow may still run after the workflow has ended.
        if !is_plain(&handle.task) {
            cancel_children(self.cluster(), &[Asked::job(self.id())], &handle.dir, None)?;
        }
        cancelled
    }
}

impl<T> JobArray<T> {
    /// Cancels what has not ended, also what another handle has tried again. With workflows go the jobs that
    /// they have submitted.
    ///
    /// # Errors
    /// If the backend cannot be asked.
    pub fn cancel(&self) -> Result<()> {
        let cancelled = self.cancel_alone()?;
        let handle = self.handle();
        if is_plain(&handle.task) {
            return Ok(());
        }
        cancel_children(self.cluster(), &cancelled, &handle.dir, None)
    }

    /// Cancels the elements that have these items, as far as they have not ended, in the latest attempt to make
    /// each, whoever tried it again. An element that makes several calls ends with all of them.
    ///
    /// # Errors
    /// If the backend cannot be asked.
    pub fn cancel_items(&self, items: impl IntoIterator<Item = usize>) -> Result<()> {
        let items: Vec<u64> = items.into_iter().map(|item| item as u64).collect();
        let cancelled = self.cancel_elements_of(&items)?;
        let handle = self.handle();
        if is_plain(&handle.task) {
            return Ok(());
        }
        let with_them = self.made_with(&items);
        cancel_children(self.cluster(), &cancelled, &handle.dir, Some(&with_them))
    }
}
