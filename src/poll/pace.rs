//! Polling intervals.

use std::time::{Duration, Instant};

/// The time until the next look, which grows while nothing changes.
#[derive(Debug)]
pub(super) struct Pace {
    range: (Duration, Duration),
    interval: Duration,
    pub(super) due: Instant,
    /// No look begins earlier, whatever happens, so that looks take a tenth of the time at most.
    earliest: Instant,
}

impl Pace {
    pub(super) fn new(range: (Duration, Duration)) -> Self {
        let now = Instant::now();
        Self { range, interval: range.0, due: now + range.0, earliest: now }
    }

    /// Makes the next look come soon, and never later than planned.
    pub(super) fn reset(&mut self) {
        self.interval = self.range.0;
        self.due = self.due.min(Instant::now() + self.range.0).max(self.earliest);
    }

    /// Plans the next look after one that began at `began`.
    pub(super) fn slow_down(&mut self, began: Instant) {
        let now = Instant::now();
        self.interval = (self.interval * 5 / 4).clamp(self.range.0, self.range.1);
        self.earliest = now + ((now - began) * 9).min(self.range.1);
        self.due = self.earliest.max(now + self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_after_a_slow_look_does_not_start_the_next_look_at_once() {
        let mut pace = Pace::new((Duration::from_millis(1), Duration::from_secs(600)));
        let began = Instant::now().checked_sub(Duration::from_secs(10)).unwrap();
        pace.slow_down(began);
        pace.reset();
        assert!(pace.due > Instant::now() + Duration::from_secs(80));
    }
}
