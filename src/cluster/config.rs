//! The settings of a cluster.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use once_cell::sync::OnceCell;
#[cfg(feature = "ssh")]
use slurm_host::ssh::{HostKeyPolicy, Ssh};
use slurm_host::{Binary, LocalHost};
#[cfg(feature = "ssh")]
use slurm_host::{SshHost, UploadSettings};

use super::dry_run::{DryRun, Rehearsal};
use super::every_job::EveryJob;
use super::ledger::{Client, Ledger};
use super::program::Staged;
use super::{Cluster, Inner, variables};

use crate::backend::Backend;
use crate::backend::local::{Capacity, Local};
use crate::backend::slurm::Slurm;
use crate::callback::Callbacks;
#[cfg(feature = "ssh")]
use crate::error::HostError;
use crate::error::{Error, Result};
use crate::model::BackendKind;
use crate::model::permissions::{self, Permissions};
use crate::poll::Poller;
use crate::progress::ProgressMode;
#[cfg(feature = "ssh")]
use crate::slurmfile::Compress;
#[cfg(feature = "ssh")]
use crate::slurmfile::ProgramCheck;
use crate::slurmfile::{self, Environment};

/// Builder with all settings of a [`Cluster`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it is built"]
pub struct ClusterBuilder {
    backend: Option<BackendKind>,
    job_base_dir: Option<PathBuf>,
    runner_binary: Option<PathBuf>,
    environment: Environment,
    #[cfg(feature = "ssh")]
    ssh: Option<Ssh>,
    #[cfg(feature = "ssh")]
    host_key_policy: Option<HostKeyPolicy>,
    local_cpus: Option<u32>,
    local_gpus: Option<u32>,
    script_permissions: Option<u32>,
    job_dir_permissions: Option<u32>,
    pub(super) every_job: EveryJob,
    dry_run: bool,
    /// Whether a dry run prints each submission.
    prints_dry_run: bool,
    progress: ProgressMode,
}

impl ClusterBuilder {
    /// Returns a builder with the settings of the environment variables and the Slurmfile; see
    /// [`Cluster::from_env`].
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
    /// argument. [`Cluster::rehearsed`] returns the submissions so far. Asking for the result or the state of a
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

    /// Returns the cluster. Over SSH, this connects to it; otherwise nothing is started, read or written.
    ///
    /// # Errors
    /// If a setting is wrong, if there is neither a home directory nor a job base directory, if this program
    /// cannot find its own file, or if the host cannot be reached.
    pub fn build(mut self) -> Result<Cluster> {
        self.environment = self.every_job.over(self.environment)?;
        let variable = || std::env::var_os("SLURM_SDK_JOB_BASE_DIR").filter(|dir| !dir.is_empty());
        let given = self.job_base_dir.clone().or_else(|| variable().map(PathBuf::from));
        let given = given.or_else(|| self.environment.job_base_dir.clone());
        let kind = self.backend.or(self.environment.backend).unwrap_or_default();
        if kind == BackendKind::Slurm {
            let variables = variables::of_this_process();
            let submit = std::mem::replace(&mut self.environment.submit, variables);
            self.environment.submit.overlay(&submit);
        }
        let program = self.runner_binary.clone().or_else(|| self.environment.runner_binary.clone());
        let binary = match program {
            Some(path) => Binary::at(&expand_home(&path)?),
            None => Binary::running().map_err(|error| Error::Config {
                message: format!("this program cannot find its own file: {error}"),
                hint: "name it with runner_binary".to_owned(),
            })?,
        };
        let permissions = permissions_of(
            self.script_permissions.or(self.environment.script_permissions),
            self.job_dir_permissions.or(self.environment.job_dir_permissions),
        )?;
        let callbacks =
            Arc::new(Callbacks::new(&self.environment.callbacks, &self.every_job.callbacks)?);
        let backend: Arc<dyn Backend> = match kind {
            BackendKind::Local => {
                let capacity = Capacity::of_this_machine(self.local_cpus, self.local_gpus);
                Arc::new(Local::new(base_dir_here(given)?, capacity))
            }
            BackendKind::Slurm => {
                let base = base_dir_here(given)?;
                Arc::new(Slurm::new(BackendKind::Slurm, Box::new(LocalHost), base))
            }
            BackendKind::Ssh => self.over_ssh(given)?,
        };
        let dry_run = self.dry_run.then(|| Arc::new(DryRun::new(self.prints_dry_run)));
        let ledger: Arc<dyn Ledger> = match &dry_run {
            Some(run) => Arc::new(Rehearsal { run: Arc::clone(run), around: Arc::new(Client) }),
            None => Arc::new(Client),
        };
        Ok(Cluster {
            inner: Arc::new(Inner {
                poller: Poller::new(Arc::clone(&backend), Vec::new()),
                backend,
                binary,
                binary_path: OnceCell::new(),
                staged: Staged::default(),
                environment: self.environment,
                permissions,
                callbacks,
                dry_run,
                ledger,
                progress: self.progress,
                others: Mutex::default(),
            }),
        })
    }

    #[cfg(feature = "ssh")]
    fn over_ssh(&self, job_base_dir: Option<PathBuf>) -> Result<Arc<dyn Backend>> {
        let settings = self.ssh.clone().or_else(|| self.environment.ssh.settings());
        let mut settings = settings.ok_or_else(|| Error::Config {
            message: "no SSH host is configured".to_owned(),
            hint: "set `host` in the section [default.cluster.ssh] of the Slurmfile".to_owned(),
        })?;
        if let Some(policy) = self.host_key_policy {
            settings = settings.host_key_policy(policy);
        }
        let uploads = UploadSettings {
            check: self.environment.check != Some(ProgramCheck::Off),
            compress: self.environment.compress != Some(Compress::Never),
            meter: self.progress.meter(),
        };
        let host = SshHost::connect(settings, uploads).map_err(|error| match error {
            HostError::Ssh(error) => Error::Ssh(error),
            other => other.into(),
        })?;
        let home = &host.facts().home;
        // `~` is the home directory on the remote host.
        let base = match job_base_dir {
            None => home.join("slurm_jobs"),
            Some(dir) => dir.strip_prefix("~").map_or_else(|_| dir.clone(), |rest| home.join(rest)),
        };
        if !base.is_absolute() {
            return Err(Error::Config {
                message: format!(
                    "the job base directory {} cannot be used on another host",
                    base.display()
                ),
                hint: "give an absolute path, or one that begins with `~/`".to_owned(),
            });
        }
        Ok(Arc::new(Slurm::new(BackendKind::Ssh, Box::new(host), checked(base)?)))
    }

    #[cfg(not(feature = "ssh"))]
    #[allow(clippy::unused_self, reason = "as with the feature")]
    fn over_ssh(&self, _: Option<PathBuf>) -> Result<Arc<dyn Backend>> {
        Err(Error::Config {
            message: "this program was built without SSH".to_owned(),
            hint: "build it with the feature `ssh` of slurm-sdk".to_owned(),
        })
    }
}

fn base_dir_here(given: Option<PathBuf>) -> Result<PathBuf> {
    let base = match given {
        Some(dir) => expand_home(&dir)?,
        None => home()?.join("slurm_jobs"),
    };
    let base = std::path::absolute(&base).map_err(|error| Error::Config {
        message: format!("the job base directory {} cannot be used: {error}", base.display()),
        hint: "give an absolute path".to_owned(),
    })?;
    checked(base)
}

fn checked(base: PathBuf) -> Result<PathBuf> {
    if base.to_str().is_none_or(|text| text.contains(|c: char| c.is_control() || c == '%')) {
        return Err(Error::Config {
            message: format!("the job base directory {} cannot be used", base.display()),
            hint: "Slurm needs a path in UTF-8 without control characters and without `%`"
                .to_owned(),
        });
    }
    Ok(base)
}

fn permissions_of(script: Option<u32>, job_dir: Option<u32>) -> Result<Permissions> {
    let wrong = |what: &str| {
        let message = format!("the permissions of {what}");
        move |reason: String| Error::Config {
            message: format!("{message}: {reason}"),
            hint: "0o750 and 0o700 are usual".to_owned(),
        }
    };
    let default = Permissions::default();
    Ok(Permissions {
        script: script.map_or(Ok(default.script), permissions::script).map_err(wrong("scripts"))?,
        job_dir: job_dir.map(permissions::job_dir).transpose().map_err(wrong("job directories"))?,
    })
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

fn expand_home(dir: &Path) -> Result<PathBuf> {
    match dir.strip_prefix("~") {
        Ok(rest) => Ok(home()?.join(rest)),
        Err(_) => Ok(dir.to_owned()),
    }
}

fn home() -> Result<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute()).ok_or_else(|| Error::Config {
        message: "no home directory was found, so there is no place for job directories".to_owned(),
        hint: "set HOME, or SLURM_SDK_JOB_BASE_DIR to a directory for jobs".to_owned(),
    })
}
