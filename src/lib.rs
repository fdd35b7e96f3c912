//! Run Rust functions as Slurm jobs.
//!
//! Annotate a function, and the compiled program is both the submitter on your machine and the runner inside
//! the job:
//!
//! ```no_run
//! use slurm::Cluster;
//!
//! /// Adds two numbers in a job.
//! #[slurm::task(time = "00:05:00", mem = "100M")]
//! fn add(a: i64, b: i64) -> i64 {
//!     a + b
//! }
//!
//! #[slurm::main]
//! fn main(cluster: Cluster) -> slurm::Result<()> {
//!     let job = add::job(20, 22).submit(&cluster)?;
//!     println!("job {}: {}", job.id(), job.result()?);
//!     Ok(())
//! }
//! ```
//!
//! Without any configuration the job is a process on this machine, run by the embedded backend. With `--backend
//! slurm` it is a job of this host's Slurm, with `--backend ssh` of another host's. The source stays the same.
//!
//! # Where to look
//!
//! | to | see |
//! |---|---|
//! | make a function a task, with options that the compiler checks | [`task`](macro@task) |
//! | set options for one call, and submit it | [`JobBuilder`] |
//! | wait for a job, get its result, its logs, its state; attach to it from another process | [`Job`] |
//! | make many calls in one submission | `train::map(items)`: [`ArrayBuilder`], [`JobArray`] |
//! | pass the result of a job to another one | give `&job`, `&array` or [`array.item(n)`](JobArray::item) as the argument |
//! | handle several jobs in the order in which they end | [`as_completed`], [`wait_any`] |
//! | run a function on the cluster that submits jobs from there | [`workflow`](macro@workflow), [`Workflow`] |
//! | run longer than a time limit | [`Requeue`], [`JobContext::checkpoint_dir`] |
//! | get facts about the job inside a task: rank, node, GPUs, deadline | [`JobContext`] |
//! | choose where jobs go | [`Cluster`], [`ClusterArgs`] for your own command line, [`Ssh`] for a login node |
//! | keep the settings of a project in a file | [`Slurmfile`] |
//! | see what would be submitted | `--dry-run`, [`JobBuilder::explain`], [`Plan`], [`Graph`] |
//! | understand a failure | [`Error`], [`Error::hint`]; [`JobError`] for the end of a job |
//! | run code when a job was submitted or has ended | [`Callback`] |
//! | pass a value that the binary encoding cannot carry, or that must stay secret | [`Json`], [`Secret`] |
//! | look up an option of sbatch | [`options::OPTIONS`] |
//!
//! # Many calls
//!
//! ```no_run
//! #[slurm::task(time = "30")]
//! fn simulate(seed: u64) -> f64 {
//!     seed as f64
//! }
//!
//! #[slurm::task]
//! fn mean(values: &[f64]) -> f64 {
//!     values.iter().sum::<f64>() / values.len() as f64
//! }
//!
//! # fn run(cluster: &slurm::Cluster) -> slurm::Result<()> {
//! let array = simulate::map(0..10_000_u64).chunk_auto().submit(cluster)?; // one job array
//! let average = mean::job(&array).submit(cluster)?; // runs after it, and takes its values
//! println!("{}", average.result()?);
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! All are on by default but the last.
//!
//! - `cli`: [`ClusterArgs`] can be flattened into a clap parser, and a `main` that takes a cluster reads its flags.
//! - `progress`: waits and uploads show a bar on a terminal. Without it, waits print lines.
//! - `ssh`: clusters that are reached over SSH.
//! - `vendored-openssl`: `ssh`, with OpenSSL built from source.
//!
//! # More
//!
//! The README of the repository is the guide. Its folder `examples` has `hello`, `custom_cli` (your own flags),
//! `pipeline` (jobs that feed jobs), `sweep` and `monte_carlo` (arrays), `million` (a million calls), `workflow`,
//! `graph` (pictures of workflows) and `errors` (every kind of failure);
//! `docs/options.md` lists all options, `docs/security.md` is the security model, and `docs/architecture.md`
//! explains the design.

// A library must not print or end the process, and no outside input may make it panic.
#![warn(
    clippy::exit,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used
)]

mod arg;
mod array;
mod backend;
mod builder;
mod callback;
mod cancel;
mod cli;
mod cluster;
mod completed;
mod conclude;
mod edges;
mod entry_point;
pub mod error;
mod fuzz;
mod graph;
mod init;
mod job;
mod logging;
mod model;
mod open;
mod poll;
mod progress;
mod slurmfile;
mod submit;
mod workflow;

// Declared last, so that the documentation of a builder lists the hundred methods for sbatch's options after
// the others.
mod setters;

pub use arg::{Arg, IntoArg, IntoItem};
pub use array::{ArrayRef, ItemRef, JobArray, Stream};
pub use builder::{ArrayBuilder, JobBuilder};
pub use callback::{Callback, CallbackResult};
pub use cli::ClusterArgs;
pub use cluster::{Cluster, CommandOutput};
pub use completed::{AsCompleted, as_completed, wait_any};
pub use edges::Awaitable;
pub use error::{Error, JobError, JobErrorKind, Result, SubmitError};
pub use graph::{CoreHours, Graph, GraphEdge, GraphNode, Plan};
pub use init::init;
pub use job::{Job, JobRef};
pub use logging::init_logging;
pub use model::{
    ArrayHandle, ArrayPart, BackendKind, Edge, EdgeElement, ExplainedArray, ExplainedOption,
    Explanation, JobHandle, Progress, Reason, Status, Warning,
};
pub use open::ClusterBuilder;
pub use progress::ProgressMode;
pub use slurm_core::codec::Json;
pub use slurm_core::context::JobContext;
pub use slurm_core::events::{Event, EventKind};
pub use slurm_core::full_id::{FullJobId, JobPart, JobStep};
pub use slurm_core::ids::{JobId, SubmissionId};
pub use slurm_core::options;
pub use slurm_core::outcome::{Failure, FailureKind, RunReport};
pub use slurm_core::requeue::{OnTimeout, Requeue};
pub use slurm_core::secret::Secret;
pub use slurm_core::state::JobState;
pub use slurm_core::task::Task;
pub use slurm_core::variable::VariableName;
#[cfg(feature = "ssh")]
pub use slurm_host::ssh::{HostKeyPolicy, Ssh};
#[cfg(feature = "ssh")]
pub use slurmfile::SshSection;
pub use slurmfile::{CallbackSettings, Compress, Environment, ProgramCheck, Slurmfile};
pub use workflow::Workflow;

#[doc = include_str!("task_attribute.md")]
pub use slurm_macros::task;

#[doc = include_str!("workflow_attribute.md")]
pub use slurm_macros::workflow;

#[doc = include_str!("main_attribute.md")]
pub use slurm_macros::main;

/// The types of settings in [`Ssh`].
#[cfg(feature = "ssh")]
pub mod ssh {
    pub use slurm_host::ssh::{
        Attempt, HostKeyError, HostKeyProblem, KeyPlace, Prompt, PromptKind, Prompter, Report,
    };
}

/// What the macros' expansions use; not for anybody else, and different in every version.
#[doc(hidden)]
pub mod __private {
    /// Private parsers of foreign text.
    pub mod fuzz {
        pub use crate::fuzz::{
            array, descriptions, shown, slurm_output, supervisor, word, words, workflow,
        };
        #[cfg(feature = "ssh")]
        pub use slurm_host::ssh::fuzz::*;
    }

    pub use inventory;
    pub use linkme;
    pub use slurm_core::codec::CodecError;
    pub use slurm_core::context::JobContext;
    pub use slurm_core::options::{ConstInput, OptionInput};
    pub use slurm_core::outcome::Failure;
    pub use slurm_core::registry::{Registered, TASK_NAMES};
    pub use slurm_core::requeue::{OnTimeout, TaskRequeue};
    pub use slurm_core::task::{
        Arguments, Codec, ErrorOf, Parameter, Task, TaskArgument, TaskEntry, TaskKind, TaskOption,
        TaskOutput, TaskResult, TaskValue, ViaDebug, ViaDisplay, ViaError, ViaLocalError,
        encode_output,
    };

    pub use slurm_macros::beside;

    pub use crate::arg::Parameters;
    pub use crate::array::CallArguments;
    pub use crate::callback::{CALLBACKS, CallbackEntry};
    pub use crate::entry_point::{
        MainError, ReportDebug, ReportDisplay, ReportError, ReportHeld, ReportLocalError,
        main_plain, main_with_cluster,
    };
    pub use crate::graph::plan_from_environment;
    pub use crate::workflow::Workflow;
}

/// The examples of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;

/// The examples of the security model compile.
#[cfg(doctest)]
#[doc = include_str!("../docs/security.md")]
pub struct SecurityModel;
