//! Run Rust functions as Slurm jobs.
//!
//! Annotate a function, and the compiled binary is both the submitter on your machine and the runner
//! inside the job:
//!
//! ```no_run
//! use slurm::Cluster;
//!
//! /// Adds two numbers, far away.
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
//! Without any configuration the job is a process of this machine, run by the embedded backend; with
//! `--backend slurm` it is one of the Slurm of this host. Nothing in the source changes.
//!
//! - [`task`](macro@task) makes a function a task; the option values are checked while it compiles.
//! - [`JobBuilder`] is a call that is not yet submitted, [`Job`] one that is.
//! - [`Cluster`] says where jobs go; [`ClusterArgs`] puts that on your own command line.
//! - [`Ssh`] says how a login node is reached over SSH.
//! - [`Error`] says what went wrong, [`Error::hint`] what to do; a job's own end is a [`JobError`].
//! - [`JobContext`] tells a running task about its job.
//! - [`Json`] carries what the binary encoding cannot.

// A library neither prints nor ends the process, and nothing from outside may make it panic.
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
mod cli;
mod cluster;
mod completed;
mod conclude;
mod edges;
mod entry_point;
pub mod error;
mod explain;
mod fuzz;
mod graph;
mod host;
mod init;
mod job;
mod permissions;
mod poll;
mod printable;
mod progress;
mod requeue;
mod script;
mod slurmfile;
mod submit;
mod workflow;

pub use arg::{Arg, IntoArg};
pub use array::{
    ArrayBuilder, ArrayHandle, ArrayName, ArrayPart, IntoItem, ItemRef, JobArray, Progress, Stream,
};
pub use builder::JobBuilder;
pub use callback::{Callback, CallbackResult};
pub use cli::ClusterArgs;
pub use cluster::{BackendKind, Cluster, ClusterBuilder, CommandOutput};
pub use completed::{AsCompleted, as_completed, wait_any};
pub use edges::{Edge, EdgeElement, Submitted};
pub use error::{Error, JobError, JobErrorKind, Result, SubmitError};
pub use explain::{ExplainedArray, ExplainedOption, Explanation};
pub use graph::{Graph, GraphEdge, GraphNode, Plan};
#[cfg(feature = "ssh")]
pub use host::ssh::{HostKeyPolicy, Ssh};
pub use init::init;
pub use job::{Job, JobHandle, JobRef};
pub use progress::ProgressMode;
pub use slurm_core::codec::Json;
pub use slurm_core::context::JobContext;
pub use slurm_core::events::{Event, EventKind};
pub use slurm_core::full_id::{FullJobId, JobPart, JobStep};
pub use slurm_core::ids::{JobId, PreId};
pub use slurm_core::options;
pub use slurm_core::outcome::{Failure, FailureKind, RunReport};
pub use slurm_core::requeue::{OnTimeout, Requeue};
pub use slurm_core::secret::Secret;
pub use slurm_core::state::JobState;
pub use slurm_core::task::Task;
pub use slurm_core::variable::VariableName;
#[cfg(feature = "ssh")]
pub use slurmfile::SshSection;
pub use slurmfile::{CallbackSettings, Compress, Environment, Slurmfile};
pub use workflow::Workflow;

#[doc = include_str!("task_attribute.md")]
pub use slurm_macros::task;

#[doc = include_str!("workflow_attribute.md")]
pub use slurm_macros::workflow;

#[doc = include_str!("main_attribute.md")]
pub use slurm_macros::main;

/// What goes with [`Ssh`].
#[cfg(feature = "ssh")]
pub mod ssh {
    pub use crate::host::ssh::{
        Attempt, HostKeyError, HostKeyProblem, KeyPlace, Prompt, PromptKind, Prompter, Report,
    };
}

/// What the macros' expansions use; not for anybody else, and different in every version.
#[doc(hidden)]
pub mod __private {
    /// The parsers of foreign text.
    pub mod fuzz {
        pub use crate::fuzz::{
            array, descriptions, shown, slurm_output, supervisor, word, words, workflow,
        };
        #[cfg(feature = "ssh")]
        pub use crate::host::ssh::fuzz::*;
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

    pub use crate::arg::CallArguments;
    pub use crate::array::Parameters;
    pub use crate::callback::{CALLBACKS, CallbackEntry};
    pub use crate::entry_point::{
        MainError, ReportDebug, ReportDisplay, ReportError, ReportLocalError, main_plain,
        main_with_cluster,
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
