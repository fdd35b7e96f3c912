//! The settings of a cluster.

use std::path::PathBuf;

#[cfg(feature = "ssh")]
use slurm_host::ssh::{HostKeyPolicy, Ssh};

use super::every_job::EveryJob;
use crate::error::{Error, Result};
use crate::model::BackendKind;
use crate::progress::ProgressMode;
use crate::slurmfile::{self, Environment};

/// Builder with all settings of a [`Cluster`](crate::Cluster).
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClusterBuilder {
    pub(super) backend: Option<BackendKind>,
    pub(super) job_base_dir: Option<PathBuf>,
    pub(super) runner_binary: Option<PathBuf>,
    pub(super) environment: Environment,
    #[cfg(feature = "ssh")]
    pub(super) ssh: Option<Ssh>,
    #[cfg(feature = "ssh")]
    pub(super) host_key_policy: Option<HostKeyPolicy>,
    pub(super) local_cpus: Option<u32>,
    pub(super) local_gpus: Option<u32>,
    pub(super) script_permissions: Option<u32>,
    pub(super) job_dir_permissions: Option<u32>,
    pub(super) every_job: EveryJob,
    pub(super) dry_run: bool,
    /// Whether a dry run prints each submission.
    pub(super) prints_dry_run: bool,
    pub(super) progress: ProgressMode,
}

impl ClusterBuilder {
    /// Returns a builder with the settings of the environment variables and the Slurmfile; see
    /// [`Cluster::from_env`](crate::Cluster::from_env).
    ///
    /// # Errors
    /// If a variable has an invalid value, or the Slurmfile is wrong.
    pub fn from_env() -> Result<Self> {
        let mut builder = Self::default().environment(slurmfile::chosen(None, None)?);
        builder.progress = ProgressMode::of_variable()?.unwrap_or_default();
        Ok(match backend_variable()? {
            Some(kind) => builder.backend(kind),
            None => builder,
        })
    }

    /// Sets the settings of a Slurmfile. The other methods take precedence over them.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Sets the backend. By default it is the Slurmfile's, or the embedded backend without one.
    pub fn backend(mut self, kind: BackendKind) -> Self {
        self.backend = Some(kind);
        self
    }

    /// Sets the directory below which each job has its own. By default it is `SLURM_SDK_JOB_BASE_DIR`, then the
    /// Slurmfile's, then `~/slurm_jobs`. On a cluster, all nodes must see it under the same path.
    pub fn job_base_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.job_base_dir = Some(dir.into());
        self
    }

    /// Sets the program that runs inside the jobs. By default it is this one. It must be built from the same
    /// source, for the machine type of the nodes.
    pub fn runner_binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.runner_binary = Some(path.into());
        self
    }

    /// Sets how many CPUs the embedded backend may use. By default these are the CPUs that this process may
    /// use. The first process that uses a job base directory decides for all others until no job is left.
    pub fn local_cpus(mut self, cpus: u32) -> Self {
        self.local_cpus = Some(cpus);
        self
    }

    /// Sets how many GPUs the embedded backend may use. By default these are the NVIDIA devices of this
    /// machine.
    pub fn local_gpus(mut self, gpus: u32) -> Self {
        self.local_gpus = Some(gpus);
        self
    }

    /// Sets the permission bits of batch scripts. The default is `0o750`.
    pub fn script_permissions(mut self, mode: u32) -> Self {
        self.script_permissions = Some(mode);
        self
    }

    /// Sets the permission bits of job directories, such as `0o700`. By default the umask decides. Users who
    /// cannot read the directory cannot read the specs, results and diaries in it.
    pub fn job_dir_permissions(mut self, mode: u32) -> Self {
        self.job_dir_permissions = Some(mode);
        self
    }

    /// Makes this a dry run: `submit` checks everything and submits nothing.
    ///
    /// `submit` returns a placeholder, on which later submissions can depend and which they can take as an
    /// argument. [`Cluster::rehearsed`](crate::Cluster::rehearsed) returns the submissions so far. Asking for the result or the state of a
    /// placeholder is [`Error::DryRun`]. Attaching to existing jobs still works.
    pub fn dry_run(mut self, dry_run: bool) -> Self {
        self.dry_run = dry_run;
        self
    }

    /// Makes a dry run print each submission, for a program whose user asked for it on the command line.
    pub(crate) fn prints_dry_run(mut self) -> Self {
        self.prints_dry_run = true;
        self
    }

    /// Sets how waits report their progress on standard error. By default they print nothing.
    pub fn progress(mut self, mode: ProgressMode) -> Self {
        self.progress = mode;
        self
    }

    /// Selects the SSH backend and sets its host and login.
    #[cfg(feature = "ssh")]
    pub fn ssh(mut self, settings: impl Into<Ssh>) -> Self {
        self.ssh = Some(settings.into());
        self.backend(BackendKind::Ssh)
    }

    /// Sets the policy for unknown host keys. It overrides all other settings.
    #[cfg(feature = "ssh")]
    pub fn host_key_policy(mut self, policy: HostKeyPolicy) -> Self {
        self.host_key_policy = Some(policy);
        self
    }
}

/// Returns the backend that `SLURM_SDK_BACKEND` names.
pub(crate) fn backend_variable() -> Result<Option<BackendKind>> {
    let Ok(name) = std::env::var("SLURM_SDK_BACKEND") else { return Ok(None) };
    let wrong = |_| Error::Config {
        message: format!("unknown backend `{name}` in SLURM_SDK_BACKEND"),
        hint: "set it to `local`, `slurm` or `ssh`, or unset it".to_owned(),
    };
    name.parse().map(Some).map_err(wrong)
}
