//! The usual ways to open a cluster.

#[cfg(feature = "ssh")]
use slurm_host::ssh::Ssh;

use super::ClusterBuilder;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::model::BackendKind;

impl Cluster {
    /// Returns the embedded backend: jobs are processes on this machine, without Slurm.
    ///
    /// # Errors
    /// If no home directory was found; see [`ClusterBuilder::job_base_dir`].
    pub fn local() -> Result<Self> {
        Self::builder().backend(BackendKind::Local).build()
    }

    /// Returns the Slurm of this host. Its commands must be in `PATH`; they are called only when they are
    /// needed.
    ///
    /// # Errors
    /// If no home directory was found; see [`ClusterBuilder::job_base_dir`].
    pub fn slurm() -> Result<Self> {
        Self::builder().backend(BackendKind::Slurm).build()
    }

    /// Returns the Slurm of another host, reached over SSH. The host is a name, an alias of `~/.ssh/config`, or
    /// an [`Ssh`](crate::Ssh) with settings.
    ///
    /// ```no_run
    /// use slurm::{Cluster, Ssh};
    ///
    /// # fn main() -> slurm::Result<()> {
    /// let cluster = Cluster::ssh("login.example.org")?;
    /// let other = Cluster::ssh(Ssh::to("login.example.org").user("me").port(2222))?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the host cannot be reached, has another key than expected, or refuses the user.
    #[cfg(feature = "ssh")]
    pub fn ssh(settings: impl Into<Ssh>) -> Result<Self> {
        Self::builder().ssh(settings).build()
    }

    /// Returns the cluster that the environment variables and the Slurmfile select. The Slurmfile is the file
    /// that `SLURMFILE` names, or the nearest one at or above the current directory; `SLURM_ENV` names its
    /// environment. `SLURM_SDK_BACKEND` (`local`, `slurm` or `ssh`) and `SLURM_SDK_JOB_BASE_DIR` take
    /// precedence over it.
    ///
    /// # Errors
    /// If a variable has an invalid value, or the Slurmfile is wrong.
    pub fn from_env() -> Result<Self> {
        ClusterBuilder::from_env()?.build()
    }

    /// Returns a builder with all settings.
    pub fn builder() -> ClusterBuilder {
        ClusterBuilder::default()
    }
}
