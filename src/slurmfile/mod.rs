//! The Slurmfile: settings of a project, beside its sources.
//!
//! | file | holds |
//! |---|---|
//! | `discover` | the search for a Slurmfile |
//! | `parse`, `sections` | from TOML to settings and problems with their places |
//! | `ssh` | the section `cluster.ssh` |

mod discover;
mod parse;
mod reader;
mod sections;
#[cfg(feature = "ssh")]
mod ssh;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use slurm_core::options::OptionSet;
use slurm_core::requeue::OnTimeout;
use slurm_core::variable::VariableName;
use slurm_core::word_enum;

pub(crate) use discover::chosen;
pub use sections::CallbackSettings;
#[cfg(feature = "ssh")]
pub use ssh::SshSection;

use crate::error::{Error, Result, SlurmfileError};
use crate::model::{BackendKind, Prologue};

/// The name of the environment that is used by default. The others build on it.
pub(crate) const DEFAULT_ENVIRONMENT: &str = "default";

/// The settings of a project: the cluster of its jobs and their options.
///
/// A Slurmfile is a TOML file named `Slurmfile` or `Slurmfile.toml`. Its tables are *environments*. All
/// environments build on the one named `default`:
///
/// ```toml
/// [default.cluster]
/// backend = "slurm"                  # or "local", the embedded backend, or "ssh"
/// job_base_dir = "/scratch/me/jobs"  # `~` is the home directory
///
/// [default.submit]                   # any option of the attribute, which takes precedence
/// account = "proj1"
/// time = "01:00:00"
///
/// [default]
/// setup = ["module load cuda/12.4"]  # lines of shell before the task, in every job
///
/// [default.env]                      # variables in every job
/// OMP_NUM_THREADS = "8"
///
/// [[default.callbacks]]              # a callback of the program; see `slurm::Callback`
/// name = "notify"
/// args = { to = "me@example.org" }
///
/// [debug.submit]                     # chosen by --env debug, or SLURM_ENV=debug
/// partition = "debug"
/// ```
///
/// ```
/// let file = slurm::Slurmfile::parse("[default.submit]\ntime = 90\n[quick.submit]\nqos = 'short'\n", "Slurmfile")?;
/// let quick = file.environment("quick")?;
/// assert_eq!(quick.submit.to_args(), ["--qos=short", "--time=01:30:00"]);
/// # Ok::<(), slurm::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slurmfile {
    name: String,
    environments: BTreeMap<String, Environment>,
}

/// An environment of a [`Slurmfile`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Environment {
    /// The system that runs the jobs.
    pub backend: Option<BackendKind>,
    /// The directory below which each job has its own.
    pub job_base_dir: Option<PathBuf>,
    /// The program that runs inside the jobs.
    pub runner_binary: Option<PathBuf>,
    /// Whether the program is compressed on its way to a remote cluster.
    pub compress: Option<Compress>,
    /// Whether the program must fit the login node.
    pub check: Option<ProgramCheck>,
    /// The callbacks for the submission and the end of jobs.
    pub callbacks: Vec<CallbackSettings>,
    /// The permission bits of batch scripts.
    pub script_permissions: Option<u32>,
    /// The permission bits of job directories.
    pub job_dir_permissions: Option<u32>,
    /// The settings of the SSH connection.
    #[cfg(feature = "ssh")]
    pub ssh: SshSection,
    /// Options of every job.
    pub submit: OptionSet,
    /// What happens at the time limit of a job, unless the task or the call decides.
    pub on_timeout: Option<OnTimeout>,
    /// How often a job may be run again at its own request, unless the task or the call decides.
    pub max_requeues: Option<u32>,
    /// The shell that runs the lines of `setup`, by name or path. The default is bash if it exists.
    pub shell: Option<String>,
    /// Whether it is a login shell, which reads `/etc/profile` and has the functions defined there.
    pub login: Option<bool>,
    /// Lines of shell that every job runs before the task. A line that fails ends the job.
    pub setup: Vec<String>,
    /// Variables of every job.
    pub env: BTreeMap<VariableName, String>,
}

/// Whether the program is compressed on its way to a remote cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compress {
    /// Compressed where it helps.
    #[default]
    Auto,
    /// Never compressed.
    Never,
}

word_enum!(Compress, "compression", { Auto: "auto", Never: "never" });

/// Whether the program must fit the machine from which jobs are submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProgramCheck {
    /// The compute nodes are like the login node. A program for another processor, system or C library is
    /// refused before anything is submitted.
    #[default]
    Login,
    /// The nodes differ from the login node, so nothing is refused.
    Off,
}

word_enum!(ProgramCheck, "program check", { Login: "login", Off: "off" });

impl Slurmfile {
    /// Reads the text of a Slurmfile. Errors refer to it as `name`.
    ///
    /// # Errors
    /// [`Error::Slurmfile`] with all problems: invalid TOML, unknown names, wrong types, and options that
    /// sbatch would refuse.
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        let environments = parse::environments(text, name)
            .map_err(|problems| SlurmfileError { file: name.to_owned(), problems })?;
        Ok(Self { name: name.to_owned(), environments })
    }

    /// Reads the Slurmfile at `path`, or the one in the directory `path`.
    ///
    /// # Errors
    /// If it does not exist or cannot be read, and the errors of [`parse`](Self::parse).
    pub fn open(path: &Path) -> Result<Self> {
        discover::open(path)
    }

    /// Reads the nearest Slurmfile in the directory `start` or above it.
    ///
    /// # Errors
    /// The errors of [`open`](Self::open), except that a missing file is `None`.
    pub fn find(start: &Path) -> Result<Option<Self>> {
        discover::find(start)
    }

    /// Returns the names of the environments.
    pub fn environments(&self) -> impl Iterator<Item = &str> {
        self.environments.keys().map(String::as_str)
    }

    /// Returns an environment, based on `default`.
    ///
    /// # Errors
    /// If it does not exist; `default` always exists.
    pub fn environment(&self, name: &str) -> Result<Environment> {
        let base = self.environments.get(DEFAULT_ENVIRONMENT).cloned().unwrap_or_default();
        if name == DEFAULT_ENVIRONMENT {
            return Ok(base);
        }
        let Some(over) = self.environments.get(name) else {
            let known: Vec<_> = self.environments().collect();
            return Err(Error::Config {
                message: format!("{} has no environment `{name}`", self.name),
                hint: format!("it has: {}", known.join(", ")),
            });
        };
        Ok(base.under(over))
    }
}

impl Environment {
    /// Returns this environment with the settings of `over` over it.
    ///
    /// Single values are replaced. The `setup` lines and the callbacks of `over` come after the others, and its
    /// callbacks replace others of the same name.
    pub(crate) fn under(mut self, over: &Self) -> Self {
        self.backend = over.backend.or(self.backend);
        self.job_base_dir = over.job_base_dir.clone().or(self.job_base_dir);
        self.runner_binary = over.runner_binary.clone().or(self.runner_binary);
        self.script_permissions = over.script_permissions.or(self.script_permissions);
        self.job_dir_permissions = over.job_dir_permissions.or(self.job_dir_permissions);
        #[cfg(feature = "ssh")]
        {
            self.ssh = self.ssh.under(&over.ssh);
        }
        self.submit.overlay(&over.submit);
        self.on_timeout = over.on_timeout.or(self.on_timeout);
        self.max_requeues = over.max_requeues.or(self.max_requeues);
        self.compress = over.compress.or(self.compress);
        self.check = over.check.or(self.check);
        self.callbacks.retain(|own| over.callbacks.iter().all(|other| other.name != own.name));
        self.callbacks.extend(over.callbacks.iter().cloned());
        self.shell = over.shell.clone().or(self.shell);
        self.login = over.login.or(self.login);
        self.setup.extend(over.setup.iter().cloned());
        self.env.extend(over.env.clone());
        self
    }

    /// Returns the shell lines and variables of every job before the task.
    pub(crate) fn prologue(&self) -> Prologue {
        Prologue {
            shell: self.shell.clone(),
            login: self.login.unwrap_or(false),
            env: self.env.clone(),
            setup: self.setup.clone(),
        }
    }
}
