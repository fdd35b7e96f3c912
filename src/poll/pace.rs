//! How often is looked.

use std::time::{Duration, Instant};

/// How long to wait until the next look: slower and slower while nothing happens.
#[derive(Debug)]
pub(super) struct Pace {
    range: (Duration, Duration),
    interval: Duration,
    pub(super) due: Instant,
}

impl Pace {
    pub(super) fn new(range: (Duration, Duration)) -> Self {
        Self { range, interval: range.0, due: Instant::now() + range.0 }
    }

    /// Makes the next look come soon, and never later than it was to come.
    pub(super) fn reset(&mut self) {
        self.interval = self.range.0;
        self.due = self.due.min(Instant::now() + self.range.0);
    }

    /// Plans the next look after one that began at `began`.
    pub(super) fn slow_down(&mut self, began: Instant) {
        let now = Instant::now();
        self.interval = (self.interval * 5 / 4).clamp(self.range.0, self.range.1);
        self.due = now + self.interval.max(((now - began) * 9).min(self.range.1));
    }
}
