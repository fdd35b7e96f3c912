//! The two attributes for functions.

/// The attribute that a function has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `#[slurm::task]`.
    Task,
    /// `#[slurm::workflow]`.
    Workflow,
}
