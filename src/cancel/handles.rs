//! The methods of jobs and arrays that cancel them.

use super::children::{cancel_children, is_plain};
use crate::array::JobArray;
use crate::backend::Asked;
use crate::error::Result;
use crate::job::Job;

impl<T> Job<T> {
    /// Cancels the job. A job that has ended stays as it is. If the job is a workflow, all its unfinished jobs
    /// are cancelled too, even after the workflow itself has ended.
    ///
    /// # Errors
    /// If the backend cannot be asked. [`Error::NoSuchJob`](crate::Error::NoSuchJob) if the backend does not
    /// know the job and no end of it was seen.
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
    /// Cancels all elements that have not ended, in all attempts, including attempts of other handles. If the
    /// calls are workflows, the jobs that they have submitted are cancelled too.
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

    /// Cancels the elements of these items, if they have not ended, in the latest attempt of each item,
    /// including attempts of other handles. All calls of such an element are cancelled with it.
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
