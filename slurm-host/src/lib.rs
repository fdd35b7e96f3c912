//! Where commands run and files lie, for slurm-sdk.
//!
//! A [`Host`] is the machine from which jobs are submitted: this one ([`LocalHost`]), or one behind an SSH connection
//! (`SshHost`, with the feature `ssh`). The drivers above it are written against the trait alone. This crate knows
//! nothing of tasks, of jobs and their states, or of what Slurm's commands print.
//!
//! ```text
//!   drivers of slurm-sdk:  sbatch, squeue, sacct, scancel; the embedded backend
//!                                     |
//!                                   Host
//!                       ______________|______________
//!                      |                             |
//!                  LocalHost                      SshHost       one connection, a few shells behind it,
//!                      |                             |          one round trip for each request
//!         CommandLine, Folder, staged               ssh         up to an authenticated session
//!                      |                             |
//!                this machine                 ssh -G, known_hosts, agent, libssh2
//! ```
//!
//! | part | holds |
//! |---|---|
//! | [`Host`], [`Order`], [`Look`], [`NewDir`] | what a host does: submissions with their directories, looks at many files at once, reading and writing |
//! | [`CommandLine`], [`Output`] | a command as words, never as a line of shell, and what it left behind |
//! | [`Folder`] | directories that are opened one by one, so that other users cannot redirect a path with a link |
//! | [`Binary`], [`staged_for`] | the program that jobs run, and where it lies: once per content |
//! | [`ssh`] | settings, configuration, host keys, logging in |
//! | [`shell_word`], [`Printable`] | text of others, made harmless for a shell and for a terminal |
//! | [`HostError`] | what can go wrong, with hints |
//!
//! Nothing here prints or asks, but for the questions of a login, which go to [`ssh::Prompter`].

// A library neither prints nor ends the process, and nothing from outside may make it panic.
#![warn(
    clippy::exit,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod binary;
mod command;
mod error;
mod files;
mod fit;
mod folder;
mod host;
mod local;
mod order;
mod printable;
#[cfg(feature = "ssh")]
mod remote;
#[cfg(feature = "ssh")]
pub mod ssh;
mod staged;
mod word;

pub use binary::Binary;
pub use command::{CommandLine, Output, is_scrubbed};
pub use error::{HostError, Unfit};
pub use files::{Content, Found, Look, NewDir, NewFile};
pub use folder::Folder;
pub use host::Host;
pub use local::LocalHost;
pub use order::{Note, NoteOfRun, Order, Submitted};
pub use printable::Printable;
#[cfg(feature = "ssh")]
pub use remote::{Facts, Meter, NewMeter, SshHost, UploadSettings};
pub use staged::staged_for;
pub use word::{quoted_word, shell_word};
