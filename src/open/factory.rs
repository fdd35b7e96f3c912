//! From settings to a cluster: chooses the backend.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use slurm_host::{Binary, LocalHost};
#[cfg(feature = "ssh")]
use slurm_host::{SshHost, UploadSettings};

use super::ClusterBuilder;
use super::variables;
use crate::backend::Backend;
use crate::backend::local::{Capacity, Local};
use crate::backend::slurm::Slurm;
use crate::callback::Callbacks;
use crate::cluster::{Cluster, ClusterParts, DryRun};
#[cfg(feature = "ssh")]
use crate::error::HostError;
use crate::error::{Error, Result};
use crate::model::BackendKind;
use crate::model::permissions::{self, Permissions};
#[cfg(feature = "ssh")]
use crate::slurmfile::{Compress, ProgramCheck};

impl ClusterBuilder {
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
        Ok(Cluster::new(ClusterParts {
            backend,
            binary,
            environment: self.environment,
            permissions,
            callbacks,
            dry_run: self.dry_run.then(|| DryRun::new(self.prints_dry_run)),
            progress: self.progress,
        }))
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
