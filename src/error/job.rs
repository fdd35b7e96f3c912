//! Reasons why a job has no value.

use std::fmt;
use std::path::{Path, PathBuf};

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::outcome::Failure;
use slurm_core::state::JobState;
use slurm_host::Printable;
use slurm_runner::exit;

/// The reason why a job ended without a value, and where to find more.
#[derive(Debug)]
#[non_exhaustive]
pub struct JobError {
    /// The way in which it ended.
    pub kind: JobErrorKind,
    /// The known facts about the job.
    pub job: JobReport,
}

/// The ways in which a job can end without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobErrorKind {
    /// The function returned an error, panicked, or its value could not be encoded.
    Failed(Box<Failure>),
    /// The process ended without returning a value: [`std::process::exit`], an abort, a signal. Or a run of the job
    /// reached the task, and the next run, after a requeue, ended before that.
    Crashed,
    /// The job ended, and none of its runs reached the task: a missing program, a file system that the node does
    /// not have, a failed prolog.
    NotStarted,
    /// The job used more memory than it had.
    OutOfMemory,
    /// The job reached its time limit or deadline.
    TimedOut,
    /// The job was cancelled, by its user or an administrator.
    Cancelled,
    /// The job was preempted by another job.
    Preempted,
    /// The job asked to be requeued, and was not, because it had reached `max_requeues` or Slurm refused.
    NotRequeued {
        /// Why not.
        reason: String,
    },
    /// The job could only have started after the end of the workflow that waits for it, so it was cancelled.
    WorkflowDeadlock {
        /// The missing resource.
        reason: String,
    },
    /// A node failed or did not boot.
    NodeFailed,
    /// A dependency did not end as required, so the job can never run. Or an item whose value it takes has no
    /// value.
    DependencyFailed {
        /// The known failed dependencies, with the end of each.
        upstream: Vec<UpstreamFailure>,
    },
    /// The job left no result, and no source lists it any more.
    Lost {
        /// The sources that were asked, and the answer of each.
        said: String,
    },
    /// The result exists but is damaged.
    Corrupt {
        /// The damage.
        reason: String,
    },
    /// The result was written by a program with other types, or with another version of this library.
    VersionMismatch {
        /// The difference.
        reason: String,
    },
}

/// The report of a job that ended without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobReport {
    /// The job's id. For a call of an array, the array's id.
    pub id: JobId,
    /// The index in the array.
    pub index: Option<u32>,
    /// The position of the call in the input of `map`, for an item of an array.
    pub item: Option<u64>,
    /// The submission's id.
    pub submission_id: SubmissionId,
    /// The task's name.
    pub task: String,
    /// The last known state, if there is one.
    pub state: Option<JobState>,
    /// The node or nodes, if known.
    pub node: Option<String>,
    /// The exit code, if the process exited.
    pub exit_code: Option<i32>,
    /// The signal, if one ended the process.
    pub signal: Option<i32>,
    /// The reason: Slurm's word or a sentence of the embedded backend, if there is one.
    pub reason: Option<String>,
    /// The last lines that the job wrote to standard error.
    pub stderr_tail: String,
    /// The file with the whole standard error of the job, if its path is known.
    pub stderr_file: Option<PathBuf>,
    /// The directory of the job.
    pub dir: PathBuf,
    /// The host that has these files, as the user named it, if it is not this machine.
    pub host: Option<String>,
    /// Whether the exit code is known to be the task's, not the runner's or the batch script's.
    pub(crate) is_code_of_task: bool,
    /// Whether the last run did not reach the task, and an earlier one did.
    pub(crate) began_before: bool,
}

impl JobReport {
    /// Returns a path of the job in the form of scp: with the host, if it is remote.
    fn place(&self, path: &Path) -> String {
        match &self.host {
            Some(host) => format!("{host}:{}", path.display()),
            None => path.display().to_string(),
        }
    }
}

/// A dependency that did not end as required.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamFailure {
    /// The job.
    pub job: JobId,
    /// Its task.
    pub task: String,
    /// How it ended. If it never ran, the text also names the first job that failed, and how.
    pub message: String,
}

impl fmt::Display for UpstreamFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job {} ({}) {}", self.job, Printable(&self.task), Printable(&self.message))
    }
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JobReport { id, index, item, task, node, .. } = &self.job;
        if let Some(item) = item {
            write!(f, "item {item} of ")?;
        }
        write!(f, "job {id}")?;
        if let Some(index) = index {
            write!(f, "_{index}")?;
        }
        write!(f, " ({}", Printable(task))?;
        if let Some(node) = node {
            write!(f, " on {}", Printable(node))?;
        }
        f.write_str(") ")?;
        match &self.kind {
            JobErrorKind::Failed(failure) => write!(f, "failed: {}", Printable(failure))?,
            JobErrorKind::Crashed => {
                f.write_str("ended without a result")?;
                if self.job.began_before {
                    f.write_str(
                        ": it ran, was requeued, and ended before the task was started again",
                    )?;
                }
                self.how_it_ended(f)?;
            }
            JobErrorKind::NotStarted => {
                f.write_str("ended before the task was started")?;
                self.how_it_ended(f)?;
            }
            JobErrorKind::OutOfMemory => f.write_str("ran out of memory")?,
            JobErrorKind::TimedOut => f.write_str("reached its time limit")?,
            JobErrorKind::Cancelled => f.write_str("was cancelled")?,
            JobErrorKind::Preempted => f.write_str("was preempted")?,
            JobErrorKind::NotRequeued { reason } => {
                write!(f, "asked to be requeued, and cannot be: {reason}")?;
            }
            JobErrorKind::WorkflowDeadlock { reason } => {
                write!(f, "has no room to run beside the workflow that waits for it: {reason}")?;
            }
            JobErrorKind::NodeFailed => f.write_str("lost its node")?,
            JobErrorKind::DependencyFailed { upstream } if upstream.is_empty() => {
                f.write_str("cannot run: a job that it depends on did not end as required")?;
            }
            JobErrorKind::DependencyFailed { upstream } => {
                f.write_str("cannot run")?;
                upstream.iter().try_for_each(|upstream| write!(f, ": {upstream}"))?;
            }
            JobErrorKind::Lost { said } => {
                f.write_str("is lost: it left no result")?;
                if !said.is_empty() {
                    write!(f, ", and {}", Printable(said))?;
                }
            }
            JobErrorKind::Corrupt { reason } => {
                write!(f, "left a result that is {}", Printable(reason))?
            }
            JobErrorKind::VersionMismatch { reason } => {
                write!(f, "does not fit this program: {}", Printable(reason))?;
            }
        }
        let tail = self.job.stderr_tail.trim_end();
        let told =
            matches!(self.kind, JobErrorKind::Failed(_) | JobErrorKind::DependencyFailed { .. });
        if !tail.is_empty() && !told {
            f.write_str("\nits standard error ends with:")?;
            tail.lines().try_for_each(|line| write!(f, "\n  {}", Printable(line)))?;
        }
        Ok(())
    }
}

impl JobError {
    /// Returns why the batch script did not start the task, in the script's words.
    fn refusal(&self) -> Option<(i32, &str)> {
        let code = self.job.exit_code?;
        let codes = [exit::SETUP, exit::UNFIT].map(i32::from);
        let not_started = self.kind == JobErrorKind::NotStarted || self.job.began_before;
        let is_refusal = not_started && codes.contains(&code);
        let reason = self.job.reason.as_deref().filter(|reason| *reason != "NonZeroExitCode");
        is_refusal.then_some((code, reason.unwrap_or_default()))
    }

    /// Returns advice for a batch script that did not start the task.
    fn hint_for_refusal(&self) -> Option<String> {
        let (code, reason) = self.refusal()?;
        if code == i32::from(exit::UNFIT) {
            let machine = std::env::consts::ARCH;
            return Some(format!(
                "the log says what is missing on the node. If the program was built for another kind of machine, build one for \
                 it: `cargo zigbuild --release --target {machine}-unknown-linux-gnu.2.28`, or `cargo build --release \
                 --target {machine}-unknown-linux-musl`, and name it with --runner-binary. An illegal instruction \
                 (exit code 132) comes from `-C target-cpu=native`; `constraint` chooses nodes of one kind"
            ));
        }
        Some(if reason.starts_with("the working directory") {
            "all nodes must see it; set `chdir` to another directory".to_owned()
        } else if reason.starts_with("the shell") {
            "set `shell` in the Slurmfile to a shell that the nodes have".to_owned()
        } else if reason.ends_with("exit code 127") {
            "the node has no command of that name; `login = true` in the Slurmfile gives the job the functions of a login \
             shell, such as `module`"
                .to_owned()
        } else {
            "|| true` behind a line of `setup` that may fail".to_owned()
        })
    }

    fn how_it_ended(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, reason)) = self.refusal().filter(|(_, reason)| !reason.is_empty()) {
            return write!(f, ": {}", Printable(reason));
        }
        if let Some(reason) =
            self.job.reason.as_deref().filter(|reason| *reason != "NonZeroExitCode")
        {
            write!(f, " ({})", Printable(reason))?;
        }
        if self.could_not_open() {
            return f.write_str(": its log files or its working directory could not be opened");
        }
        if let Some(signal) = self.job.signal.filter(|signal| *signal != 0) {
            return write!(f, ", killed by signal {signal}");
        }
        let Some(code) = self.job.exit_code else { return Ok(()) };
        write!(f, ", with exit code {code}")?;
        let of_runner = u8::try_from(code).ok().filter(|_| !self.job.is_code_of_task);
        match of_runner.and_then(exit::describe) {
            Some(meaning) => write!(f, ": {meaning}"),
            None => Ok(()),
        }
    }

    /// Slurm reports 0:53 for a job whose files it cannot open.
    fn could_not_open(&self) -> bool {
        self.kind == JobErrorKind::NotStarted && self.job.signal == Some(53)
    }

    /// Returns advice on how to resolve the error, if there is any.
    pub fn hint(&self) -> Option<String> {
        let dir = self.job.place(&self.job.dir);
        Some(match &self.kind {
            _ if self.could_not_open() => {
                "check `output`, `error` and `chdir`: the node must be able to open them".to_owned()
            }
            JobErrorKind::NotStarted | JobErrorKind::Crashed if self.refusal().is_some() => {
                let dir = format!("its script and logs are in {dir}");
                self.hint_for_refusal().map_or(dir.clone(), |hint| format!("{hint}; {dir}"))
            }
            JobErrorKind::Failed(_) | JobErrorKind::Crashed | JobErrorKind::NotStarted => {
                match &self.job.stderr_file {
                    Some(log) => format!(
                        "its standard error is in {}, and its script and result are in {dir}",
                        self.job.place(log)
                    ),
                    None => format!("its script, logs and result are in {dir}"),
                }
            }
            JobErrorKind::OutOfMemory => "ask for more with `mem` or `mem_per_cpu`".to_owned(),
            JobErrorKind::TimedOut => "ask for more with `time`".to_owned(),
            JobErrorKind::NotRequeued { .. } => {
                format!("raise `max_requeues` if the job makes progress; its files are in {dir}")
            }
            JobErrorKind::WorkflowDeadlock { .. } => {
                "ask for less, or run the workflow in another partition".to_owned()
            }
            JobErrorKind::Cancelled | JobErrorKind::DependencyFailed { .. } => return None,
            JobErrorKind::Preempted | JobErrorKind::NodeFailed => {
                "submit it again, or let Slurm restart it with `requeue`".to_owned()
            }
            JobErrorKind::Lost { .. } => {
                format!(
                    "its files are in {dir}; a job is lost if the controller loses its state or its node loses the file system"
                )
            }
            JobErrorKind::Corrupt { .. } => {
                format!("check whether another program wrote to {dir}, or whether its disk is full")
            }
            JobErrorKind::VersionMismatch { .. } => {
                "build the program that submits and the one that runs from the same source"
                    .to_owned()
            }
        })
    }
}

impl std::error::Error for JobError {}
