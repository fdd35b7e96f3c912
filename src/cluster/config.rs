//! The settings of a cluster.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use once_cell::sync::OnceCell;

use super::{Cluster, Inner, Submitter};
use crate::backend::Backend;
use crate::backend::local::{Capacity, Local};
use crate::backend::slurm::Slurm;
use crate::error::{Error, Result};
use crate::host::{Binary, LocalHost};
use crate::poll::Poller;
use crate::progress::ProgressMode;
use crate::slurmfile::{self, Environment};

/// Who runs the jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BackendKind {
    /// The embedded backend: processes on this machine.
    #[default]
    Local,
    /// The Slurm of this host.
    Slurm,
}

impl BackendKind {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Local, Self::Slurm];

    /// Returns the name, as on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Slurm => "slurm",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BackendKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.iter().find(|kind| kind.as_str() == text);
        known.copied().ok_or_else(|| Error::Config {
            message: format!("`{text}` is no backend"),
            hint: "the backends are `local` (embedded) and `slurm` (of this host)".to_owned(),
        })
    }
}

/// Every setting of a [`Cluster`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClusterBuilder {
    backend: Option<BackendKind>,
    job_base_dir: Option<PathBuf>,
    runner_binary: Option<PathBuf>,
    environment: Environment,
    local_cpus: Option<u32>,
    local_gpus: Option<u32>,
    dry_run: bool,
    progress: ProgressMode,
}

impl ClusterBuilder {
    /// Returns a builder with what the environment says: see [`Cluster::from_env`].
    ///
    /// # Errors
    /// If a variable has a value that makes no sense, or the Slurmfile is wrong.
    pub fn from_env() -> Result<Self> {
        let builder = Self::default().environment(slurmfile::chosen(None, None)?);
        Ok(match backend_variable()? {
            Some(kind) => builder.backend(kind),
            None => builder,
        })
    }

    /// Sets what a Slurmfile says. What is set by the other methods beats it.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sets who runs the jobs; by default who the Slurmfile says, and the embedded backend without one.
    pub fn backend(mut self, kind: BackendKind) -> Self {
        self.backend = Some(kind);
        self
    }

    /// Sets the directory below which every job has its own; by default `SLURM_SDK_JOB_BASE_DIR`, then
    /// what the Slurmfile says, then `~/slurm_jobs`. On a cluster, all nodes have to see it under the same path.
    pub fn job_base_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.job_base_dir = Some(dir.into());
        self
    }

    /// Sets the program that runs inside the jobs; by default this one. It has to be built from the
    /// same source, for the machine that the nodes are.
    pub fn runner_binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.runner_binary = Some(path.into());
        self
    }

    /// Sets how many CPUs the embedded backend gives out; by default those that this process may use.
    /// The first process that uses a job base directory decides for all until no job is left.
    pub fn local_cpus(mut self, cpus: u32) -> Self {
        self.local_cpus = Some(cpus);
        self
    }

    /// Sets how many GPUs the embedded backend gives out; by default the NVIDIA devices of this machine.
    pub fn local_gpus(mut self, gpus: u32) -> Self {
        self.local_gpus = Some(gpus);
        self
    }

    /// Makes `submit` explain what it would do instead of doing it.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Makes waiting for arrays tell on standard error how far they have come; by default it does not.
    pub fn progress(mut self, mode: ProgressMode) -> Self {
        self.progress = mode;
        self
    }

    /// Returns the cluster. Nothing is started, read or written yet.
    ///
    /// # Errors
    /// If there is no home directory and no job base directory was set, or this program cannot find
    /// its own file.
    pub fn build(self) -> Result<Cluster> {
        let variable = || std::env::var_os("SLURM_SDK_JOB_BASE_DIR").filter(|dir| !dir.is_empty());
        let given = self.job_base_dir.or_else(|| variable().map(PathBuf::from));
        let base = match given.or_else(|| self.environment.job_base_dir.clone()) {
            Some(dir) => expand_home(&dir)?,
            None => home()?.join("slurm_jobs"),
        };
        let base = std::path::absolute(&base).map_err(|error| Error::Config {
            message: format!("the job base directory {} cannot be used: {error}", base.display()),
            hint: "give an absolute path".to_owned(),
        })?;
        if base.to_str().is_none_or(|text| text.contains(['\n', '%'])) {
            return Err(Error::Config {
                message: format!("the job base directory {} cannot be used", base.display()),
                hint: "Slurm needs a path in UTF-8 without line breaks and without `%`".to_owned(),
            });
        }
        let given = self.runner_binary.or_else(|| self.environment.runner_binary.clone());
        let binary = match given {
            Some(path) => Binary::at(&expand_home(&path)?),
            None => Binary::running().map_err(|error| Error::Config {
                message: format!("this program cannot find its own file: {error}"),
                hint: "name it with runner_binary".to_owned(),
            })?,
        };
        let capacity = Capacity::of_this_machine(self.local_cpus, self.local_gpus);
        let backend: Arc<dyn Backend> =
            match self.backend.or(self.environment.backend).unwrap_or_default() {
                BackendKind::Local => Arc::new(Local::new(base, capacity)),
                BackendKind::Slurm => Arc::new(Slurm::new(Box::new(LocalHost), base)),
            };
        Ok(Cluster {
            inner: Arc::new(Inner {
                poller: Poller::new(Arc::clone(&backend)),
                backend,
                binary,
                binary_path: OnceCell::new(),
                staged: OnceCell::new(),
                environment: self.environment,
                dry_run: self.dry_run,
                submitter: Submitter::default(),
                progress: self.progress,
            }),
        })
    }
}

/// Returns the backend that `SLURM_SDK_BACKEND` names.
pub(crate) fn backend_variable() -> Result<Option<BackendKind>> {
    let Ok(name) = std::env::var("SLURM_SDK_BACKEND") else { return Ok(None) };
    let wrong = |_| Error::Config {
        message: format!("SLURM_SDK_BACKEND is `{name}`, which is no backend"),
        hint: "set it to `local` or `slurm`, or unset it".to_owned(),
    };
    name.parse().map(Some).map_err(wrong)
}

fn expand_home(dir: &Path) -> Result<PathBuf> {
    match dir.strip_prefix("~") {
        Ok(rest) => Ok(home()?.join(rest)),
        Err(_) => Ok(dir.to_owned()),
    }
}

fn home() -> Result<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute()).ok_or_else(|| Error::Config {
        message: "there is no home directory to put jobs into".to_owned(),
        hint: "set HOME, or SLURM_SDK_JOB_BASE_DIR to a directory for jobs".to_owned(),
    })
}
