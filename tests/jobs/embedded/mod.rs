//! The embedded backend and its supervisor.

pub(crate) mod supervisor;
pub(crate) mod take_over;
