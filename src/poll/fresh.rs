//! The age of an answer.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The time at which the sources were last asked about a job or an array, outside of a wait.
///
/// A loop over the states of a million items, or one without a pause, asks no more often than a wait does.
#[derive(Debug, Default)]
pub(crate) struct Freshness(Mutex<Option<Instant>>);

impl Freshness {
    /// Returns whether the last answer is no older than `interval`.
    pub(crate) fn holds(&self, interval: Duration) -> bool {
        self.asked().is_some_and(|at| at.elapsed() < interval)
    }

    /// Notes that the sources were asked at `at` and have answered.
    pub(crate) fn answered(&self, at: Instant) {
        *self.asked() = Some(at);
    }

    /// Makes the next call ask, because this process has changed the job.
    pub(crate) fn expire(&self) {
        *self.asked() = None;
    }

    fn asked(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
