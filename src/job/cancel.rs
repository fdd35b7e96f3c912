//! Cancelling a job.

use super::Job;
use crate::backend::Cancelled;
use crate::error::{Error, Result};
use crate::model::Status;

impl<T> Job<T> {
    /// Cancels the job, but no job that it has submitted.
    ///
    /// # Errors
    /// If the backend cannot be asked. The inner result is an error if the backend does not know the job and no
    /// end of it was seen.
    pub(crate) fn cancel_alone(&self) -> Result<Result<()>> {
        self.check_is_real()?;
        self.answer.expire();
        Ok(match self.cluster.backend().cancel(self.id(), None, Some(&self.dir()))? {
            Cancelled::Done => {
                self.watch.cancelled();
                Ok(())
            }
            Cancelled::Unknown => self.check_is_over(),
        })
    }

    /// Returns an error for a cancellation that failed, unless the job is known to have ended.
    fn check_is_over(&self) -> Result<()> {
        if self.watch.verdict().is_some() {
            return Ok(());
        }
        let Status { state, .. } = self.refresh()?;
        if state.is_terminal() {
            return Ok(());
        }
        let said = format!("scancel does not know it, although it is {state}");
        Err(Error::Unclear { id: self.id(), said })
    }
}
