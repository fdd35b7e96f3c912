//! Errors, and advice on them.

mod job;
mod last_known;
mod option;
mod slurmfile;
mod submit;

use std::error::Error as StdError;
use std::fmt;
#[cfg(feature = "ssh")]
use std::sync::Arc;
use std::time::Duration;

use slurm_core::codec::CodecError;
use slurm_core::ids::JobId;
use slurm_core::registry::RegistryError;
use slurm_core::word_enum::{UnknownWord, either};
use slurm_host::Printable;

pub use job::{JobError, JobErrorKind, JobReport, UpstreamFailure};
pub use last_known::LastKnown;
pub use option::OptionProblem;
#[cfg(feature = "ssh")]
pub use slurm_host::ssh::SshError;
pub use slurm_host::{HostError, Unfit};
pub use slurmfile::{Problem, SlurmfileError};
pub(crate) use submit::limit_in;
pub use submit::{Refusal, SubmitError};

/// A result with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error of running tasks as jobs.
///
/// Its text says what went wrong; [`hint`](Self::hint) says what to do about it. `Debug` shows both to people
/// too, because Rust prints an error with `Debug` if a `main` without [`#[slurm::main]`](crate::main) returns
/// it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// [`init`](crate::init) was not called, so a job could not reach its task.
    #[error("slurm::init() was not called in this process")]
    NotInitialized,
    /// The program is a test harness, so its jobs would run the harness and not the task.
    #[error(
        "this program is a test harness of `#[test]` functions, which cannot run tasks in jobs"
    )]
    TestHarness,
    /// A job tried to submit a job.
    #[error("this process runs inside the job {submission_id} and may not submit jobs")]
    InsideJob {
        /// The submission of the job.
        submission_id: String,
    },
    /// The binary's tasks contradict each other.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// An argument cannot be sent to the job.
    #[error("argument `{parameter}` {source}")]
    Argument {
        /// The name of the parameter.
        parameter: &'static str,
        /// Why not.
        source: CodecError,
    },
    /// The return type of the task cannot be sent back, whatever the value. Nothing was submitted.
    #[error("the result of `{task}`, `{ty}`, {source}")]
    Output {
        /// The task.
        task: &'static str,
        /// The type that it returns.
        ty: &'static str,
        /// Why not.
        source: CodecError,
    },
    /// An item of an array cannot be sent to the job. Nothing was submitted.
    #[error("item {index}: {source}")]
    Item {
        /// The position of the item.
        index: u64,
        /// The problem with it.
        source: Box<Error>,
    },
    /// Items of an array failed in as many attempts as `max_attempts` allows.
    #[error("{items} items failed in {attempts} attempts, which is the limit")]
    Attempts {
        /// The number of items.
        items: usize,
        /// The number of attempts.
        attempts: usize,
    },
    /// Options are wrong or contradict each other.
    #[error("{}", option::lines(problems))]
    Options {
        /// The problems; never empty.
        problems: Vec<OptionProblem>,
    },
    /// The settings of the cluster are wrong.
    #[error("{message}")]
    Config {
        /// The problem.
        message: String,
        /// What to do about it.
        hint: String,
    },
    /// The Slurmfile is wrong.
    #[error(transparent)]
    Slurmfile(#[from] SlurmfileError),
    /// The job could not be submitted.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The job ended without a value.
    #[error(transparent)]
    Job(Box<JobError>),
    /// The job had not ended in the time given.
    #[error("job {id} did not end within {} s: {known}", waited.as_secs_f64())]
    StillRunning {
        /// The job.
        id: JobId,
        /// The time of the wait.
        waited: Duration,
        /// The last known status, with the answer of each source if none confirms it.
        known: Box<LastKnown>,
    },
    /// No job has the given id.
    #[error("no job `{}` is known: {}", Printable(wanted), Printable(said))]
    NoSuchJob {
        /// The id or name that was looked for.
        wanted: String,
        /// The sources that were asked, and the answer of each.
        said: String,
    },
    /// The job may exist: one source could not answer, and the others do not know the job.
    #[error("cannot tell what became of job {id}: {}", Printable(said))]
    Unclear {
        /// The job.
        id: JobId,
        /// The sources that were asked, and the answer of each.
        said: String,
    },
    /// The job runs another task than the expected one.
    #[error("{} runs the task `{}`, not `{expected}`", id.map_or_else(|| "it".to_owned(), |id| format!("job {id}")), Printable(found))]
    OtherTask {
        /// The job.
        id: Option<JobId>,
        /// The expected task.
        expected: &'static str,
        /// The task that it runs.
        found: String,
    },
    /// The job is an array where a single job was expected, or a single job where an array was expected.
    #[error("`{}` is {}", Printable(wanted), Printable(found))]
    OtherKind {
        /// The id or name that was looked for.
        wanted: String,
        /// A description of the job.
        found: String,
        /// How to attach to it.
        hint: String,
    },
    /// A file or a command on the cluster's host could not be used.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The host could not be reached over SSH.
    #[cfg(feature = "ssh")]
    #[error(transparent)]
    Ssh(Arc<SshError>),
    /// A command ran and failed.
    #[error("`{}` failed: {}", Printable(command), Printable(message))]
    Command {
        /// The whole command line.
        command: String,
        /// The message of the command.
        message: String,
    },
    /// A task asks for its job to be requeued; `?` converts a [`Requeue`](crate::Requeue) to this.
    #[error(transparent)]
    Requeue(#[from] slurm_core::requeue::Requeue),
    /// The job is only planned, so it has no state and no result.
    #[error("the job of `{task}` is only planned and has no result")]
    Planned {
        /// The job's task.
        task: String,
    },
    /// A workflow cannot be planned.
    #[error("`{task}` cannot be planned: {reason}")]
    PlanFailed {
        /// The workflow.
        task: String,
        /// The reason.
        reason: String,
    },
    /// A dry run submits nothing, so the job has no state and no result.
    #[error("dry run: nothing was submitted, so the job of `{task}` has no result")]
    DryRun {
        /// The job's task.
        task: String,
    },
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&texts(&chain(self)).join("\n  caused by: "))?;
        self.hint().map_or(Ok(()), |hint| write!(f, "\nhint: {}", Printable(hint)))
    }
}

/// Returns an error and its sources.
pub(crate) fn chain<'a>(error: &'a (dyn StdError + 'static)) -> Vec<&'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error: &&'a (dyn StdError + 'static)| (**error).source())
        .collect()
}

/// Returns the texts of a chain of errors, made safe for a terminal. Repeated texts are left out.
pub(crate) fn texts(chain: &[&(dyn StdError + 'static)]) -> Vec<String> {
    let mut texts: Vec<String> =
        chain.iter().map(|error| Printable(error.to_string()).to_string()).collect();
    texts.dedup();
    texts
}

/// Returns the first of this library's errors in a chain.
pub(crate) fn ours<'a>(chain: &[&'a (dyn StdError + 'static)]) -> Option<&'a Error> {
    chain.iter().find_map(|error| error.downcast_ref())
}

impl From<UnknownWord> for Error {
    fn from(error: UnknownWord) -> Self {
        let words: Vec<String> = error.expected.iter().map(|word| format!("`{word}`")).collect();
        Self::Config {
            message: format!("unknown {} `{}`", error.what, error.word),
            hint: format!("choose {}", either(&words)),
        }
    }
}

impl From<JobError> for Error {
    fn from(error: JobError) -> Self {
        Self::Job(Box::new(error))
    }
}

#[cfg(feature = "ssh")]
impl From<SshError> for Error {
    fn from(error: SshError) -> Self {
        Self::Ssh(Arc::new(error))
    }
}

impl Error {
    /// Returns the error that a file of a submission cannot be written as JSON, which only a path can cause.
    pub(crate) fn not_json(what: &str, error: &serde_json::Error) -> Self {
        Self::Config {
            message: format!("{what} cannot be written as JSON: {error}"),
            hint: "use a job base directory whose name is UTF-8".to_owned(),
        }
    }

    /// Returns whether a submission failed in such a way that the job may exist.
    pub(crate) fn leaves_submission_open(&self) -> bool {
        matches!(self, Self::Submit(error) if error.leaves_open())
    }

    /// Returns advice on how to resolve the error, if there is any.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Item { source, .. } => return source.hint(),
            Self::Attempts { .. } => {
                "`try_results` returns the failures; raise `max_attempts` to try again"
            }
            Self::NotInitialized => {
                "put #[slurm::main] on main, or call slurm::init() as its first statement"
            }
            Self::TestHarness => {
                "give the test a `main` that calls slurm::init() first (`[[test]]` with `harness = false`; \
                 the crate libtest-mimic lists tests as usual), name a program for the jobs with \
                 runner_binary, or call the function directly"
            }
            Self::InsideJob { .. } => {
                "make the task a workflow with #[slurm::workflow], or submit from the program that waits for it"
            }
            Self::Registry(error) => error.hint(),
            Self::Argument { source, .. } | Self::Output { source, .. } => source.hint(),
            Self::Config { hint, .. } | Self::OtherKind { hint, .. } => hint,
            Self::Submit(error) => return error.hint(),
            Self::Job(error) => return error.hint(),
            Self::StillRunning { known, .. } => match known.advice() {
                Some(advice) => return Some(format!("{advice}; or wait again")),
                None if known.doubt.is_some() => {
                    "wait again; a wait gives up a job that no source knows after some minutes"
                }
                None => "wait again, or end it with cancel()",
            },
            Self::Unclear { .. } => "ask again once that source answers",
            Self::NoSuchJob { .. } => {
                "Slurm forgets jobs; the submission's id (YYYYmmdd_HHMMSS_xxxxxxxx) works as long as its directory exists"
            }
            Self::Host(error) => return error.hint(),
            #[cfg(feature = "ssh")]
            Self::Ssh(error) => return error.hint(),
            Self::Slurmfile(_)
            | Self::Options { .. }
            | Self::OtherTask { .. }
            | Self::Command { .. }
            | Self::Requeue(_)
            | Self::Planned { .. }
            | Self::PlanFailed { .. }
            | Self::DryRun { .. } => {
                return None;
            }
        };
        Some(text.to_owned())
    }

    /// Returns the [`JobError`], if the error is one.
    pub fn as_job_error(&self) -> Option<&JobError> {
        match self {
            Self::Job(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_text_of_display_and_the_hint() {
        let text = format!("{:?}", Error::NotInitialized);
        assert!(text.starts_with("slurm::init() was not called in this process\nhint: "), "{text}");
        let source = CodecError::Encode { reason: "too deep".to_owned() };
        let text = format!("{:?}", Error::Argument { parameter: "x", source });
        assert!(!text.contains('{'), "{text}");
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with("argument `x` "), "{text}");
    }

    #[test]
    fn an_error_is_small_enough_for_every_result() {
        // In programs of users, clippy warns from 128 bytes on.
        assert!(size_of::<Error>() <= 96, "{} bytes", size_of::<Error>());
    }
}
