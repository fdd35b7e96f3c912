//! How far an array has come.

/// How far an array has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The number of items.
    pub items: usize,
    /// How many have a value.
    pub succeeded: usize,
    /// How many have ended without one.
    pub failed: usize,
    /// How many elements run, as far as is known.
    pub running: usize,
}

impl Progress {
    /// Returns how many items have ended.
    pub fn ended(&self) -> usize {
        self.succeeded + self.failed
    }
}
