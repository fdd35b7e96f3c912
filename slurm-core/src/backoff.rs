//! Pauses between attempts.

use std::thread;
use std::time::{Duration, Instant};

/// Pauses between attempts: each is twice as long as its predecessor, up to a maximum.
///
/// Counts the time since the first attempt too, since callers give up after a time.
///
/// ```
/// use std::time::Duration;
/// use slurm_core::backoff::Backoff;
/// let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(3));
/// let mut pauses = Vec::new();
/// for _ in 0..3 {
///     pauses.push(backoff.next_pause().as_millis());
///     backoff.pause();
/// }
/// assert_eq!(pauses, [1, 2, 3]);
/// assert!(backoff.elapsed() >= Duration::from_millis(6));
/// ```
#[derive(Clone, Debug)]
pub struct Backoff {
    began: Instant,
    next: Duration,
    longest: Duration,
}

impl Backoff {
    /// Starts counting; the first pause takes `first`, and none takes more than `longest`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { began: Instant::now(), next: first, longest }
    }

    /// Starts counting; all pauses take `pause`.
    #[must_use]
    pub fn steady(pause: Duration) -> Self {
        Self::new(pause, pause)
    }

    /// Returns the time since the first attempt.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Returns how long the next pause takes.
    #[must_use]
    pub const fn next_pause(&self) -> Duration {
        self.next
    }

    /// Sleeps until the next attempt is due.
    pub fn pause(&mut self) {
        thread::sleep(self.next);
        self.next = (self.next * 2).min(self.longest);
    }
}
