//! The command line of the processes that run inside of jobs.

/// The first argument of a process that this library starts; the role of the process follows it.
pub const INTERNAL: &str = "__slurm";
