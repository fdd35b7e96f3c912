//! The common ground of the two sides of a job.
//!
//! `slurm-core` is the common ground of `slurm-sdk`: the program that submits a job and the runner
//! inside the job are the same binary, and this crate holds everything that passes between them.
//! It starts no process and opens no socket.
//!
//! | module | holds |
//! |---|---|
//! | [`options`] | the grammar of sbatch's options, one parser for compile time and run time |
//! | [`ids`] | job ids, submission ids |
//! | [`state`] | every state and state flag that Slurm prints |
//! | [`codec`], [`frame`] | values to bytes, bytes to checked files |
//! | [`spec`], [`outcome`] | the input and the output of the runner |
//! | [`layout`] | where the files of a job lie |
//! | [`durable`] | writes that are whole or absent |
//! | [`events`] | the diary of a job |
//! | [`backoff`] | pauses between attempts |
//! | [`requeue`] | running a job again under the same id |
//! | [`task`], [`registry`] | tasks and how a binary finds its own |
//! | [`context`] | questions that a running task can ask about its job |
//!
//! Programs use these through the `slurm` crate, which re-exports the public parts.
//!
//! Without the default feature `runtime` only [`options`] is compiled, without any dependency, for
//! the procedural macros.

// A library neither prints nor ends the process, and nothing from outside may make it panic.
#![warn(
    clippy::exit,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

pub mod options;
mod text_form;
pub mod variable;
pub mod word_enum;

#[cfg(feature = "runtime")]
pub mod backoff;
#[cfg(feature = "runtime")]
pub mod codec;
#[cfg(feature = "runtime")]
pub mod context;
#[cfg(feature = "runtime")]
pub mod durable;
#[cfg(feature = "runtime")]
pub mod events;
#[cfg(feature = "runtime")]
pub mod frame;
#[cfg(feature = "runtime")]
mod framed;
#[cfg(feature = "runtime")]
pub mod full_id;
#[cfg(feature = "runtime")]
pub mod ids;
#[cfg(feature = "runtime")]
pub mod items;
#[cfg(feature = "runtime")]
pub mod layout;
#[cfg(feature = "runtime")]
pub mod outcome;
#[cfg(feature = "runtime")]
pub mod registry;
#[cfg(feature = "runtime")]
pub mod requeue;
#[cfg(feature = "runtime")]
pub mod roles;
#[cfg(feature = "runtime")]
pub mod secret;
#[cfg(feature = "runtime")]
pub mod segment;
#[cfg(feature = "runtime")]
pub mod spec;
#[cfg(feature = "runtime")]
pub mod state;
#[cfg(feature = "runtime")]
pub mod task;
#[cfg(feature = "runtime")]
pub mod words;

#[cfg(feature = "runtime")]
pub use secret::Secret;
