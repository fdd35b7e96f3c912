//! The progress of an array.

/// The progress of an array.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The number of items.
    pub items: usize,
    /// The number of items with a value.
    pub succeeded: usize,
    /// The number of items that have ended without a value.
    pub failed: usize,
    /// The number of running elements, as far as it is known.
    pub running: usize,
}

impl Progress {
    /// Returns the number of items that have ended.
    pub fn ended(&self) -> usize {
        self.succeeded + self.failed
    }
}
