//! The side of slurm-sdk that runs inside the job.
//!
//! The batch script ends in `exec BINARY __slurm run SPEC`, so this process is the batch step itself: signals
//! reach it, and its exit code is the job's. The script also passes whether the job has several processes,
//! because Slurm's variables describe the allocation, not the processes that were started. [`run`] loads the
//! spec, finds the task, calls it and writes the outcome. The process ends with one of the codes in [`exit`].
//!
//! A run reads one file (the spec), writes one (the outcome, through a temporary file, synced twice), and
//! appends two lines to the diary. It calls no Slurm command except to requeue the job.

// A library must not print or end the process, and no outside input may make it panic.
#![warn(
    clippy::exit,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod arguments;
mod call;
mod conclude;
mod element;
mod environment;
pub mod exit;
mod exited;
mod items;
pub mod logger;
mod memory;
mod panics;
mod requeue;
mod run;
mod scontrol;
mod signals;
mod stack;
mod tell;
mod together;
pub mod warning;
mod writer;

pub use conclude::role as conclude;
pub use run::{Invocation, run};
