//! Checks whether this process may submit.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Cluster, test_harness};
use crate::backend::script::INSIDE_JOB;
use crate::error::{Error, Result};

static INITIALIZED: AtomicBool = AtomicBool::new(false);

/// Records that this process can run its own tasks, because [`init`](crate::init) was called.
pub(crate) fn was_initialized() {
    INITIALIZED.store(true, Ordering::SeqCst);
}

impl Cluster {
    /// Refuses submissions of a process whose job would submit itself without end.
    pub(crate) fn check_may_submit(&self) -> Result<()> {
        if self.ledger().may_submit_inside_jobs() {
            return Ok(());
        }
        if let Some(submission_id) = std::env::var_os(INSIDE_JOB) {
            return Err(Error::InsideJob {
                submission_id: submission_id.to_string_lossy().into_owned(),
            });
        }
        if !INITIALIZED.load(Ordering::SeqCst) {
            return Err(Error::NotInitialized);
        }
        if self.runs_this_program() && test_harness::is_one() {
            return Err(Error::TestHarness);
        }
        Ok(())
    }
}
