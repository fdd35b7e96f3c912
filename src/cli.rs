//! The command line options of programs that submit.

use std::path::PathBuf;

#[cfg(feature = "ssh")]
use slurm_host::ssh::HostKeyPolicy;

use crate::cluster::Cluster;
#[cfg(not(feature = "cli"))]
use crate::error::Error;
use crate::error::Result;
use crate::model::BackendKind;
use crate::open::{ClusterBuilder, backend_variable};
use crate::progress::ProgressMode;
use crate::slurmfile;

// clap would use a documentation comment as the description of the user's program, so rustdoc alone gets one.
#[cfg_attr(any(doc, doctest), doc = include_str!("cluster_args.md"))]
#[cfg_attr(not(any(doc, doctest)), allow(missing_docs))]
#[cfg_attr(feature = "cli", derive(clap::Args))]
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClusterArgs {
    /// The environment of the Slurmfile [default: $SLURM_ENV, or `default`]
    #[cfg_attr(feature = "cli", arg(long, value_name = "NAME", help_heading = "Cluster"))]
    pub env: Option<String>,

    /// The Slurmfile [default: $SLURMFILE, or the nearest at or above the current directory]
    #[cfg_attr(feature = "cli", arg(long, value_name = "FILE", help_heading = "Cluster"))]
    pub slurmfile: Option<PathBuf>,

    /// What runs the jobs: `local` (embedded), `slurm` (Slurm on this host) or `ssh` (Slurm on the host that
    /// the Slurmfile names) [default: $SLURM_SDK_BACKEND, or the Slurmfile's, or local]
    #[cfg_attr(feature = "cli", arg(long, value_name = "BACKEND", help_heading = "Cluster"))]
    pub backend: Option<BackendKind>,

    /// Where every job has its directory [default: $SLURM_SDK_JOB_BASE_DIR, or the
    /// Slurmfile's, or ~/slurm_jobs]
    #[cfg_attr(feature = "cli", arg(long, value_name = "DIR", help_heading = "Cluster"))]
    pub job_base_dir: Option<PathBuf>,

    /// The program that runs inside the jobs, if not this one
    #[cfg_attr(feature = "cli", arg(long, value_name = "FILE", help_heading = "Cluster"))]
    pub runner_binary: Option<PathBuf>,

    /// How waits show progress: `auto` (a bar on a terminal, lines elsewhere), `bar`, `plain`, `log`
    /// (few lines) or `off` [default: $SLURM_SDK_PROGRESS, or auto]
    #[cfg_attr(feature = "cli", arg(long, value_name = "MODE", help_heading = "Cluster"))]
    pub progress: Option<ProgressMode>,

    /// What to do with the key of an SSH host that is not known: `auto` (save it), `warn` (log it) or
    /// `reject` [default: the Slurmfile's, or OpenSSH's StrictHostKeyChecking, or warn]
    #[cfg(feature = "ssh")]
    #[cfg_attr(feature = "cli", arg(long, value_name = "POLICY", help_heading = "Cluster"))]
    pub host_key_policy: Option<HostKeyPolicy>,

    /// Show what would be submitted, and submit nothing
    #[cfg_attr(feature = "cli", arg(long, help_heading = "Cluster"))]
    pub dry_run: bool,
}

impl ClusterArgs {
    /// Returns the cluster that the flags name. Environment variables stand in for missing flags.
    ///
    /// # Errors
    /// As for [`ClusterBuilder::build`].
    pub fn open(&self) -> Result<Cluster> {
        let chosen = slurmfile::chosen(self.slurmfile.as_deref(), self.env.as_deref())?;
        let mut builder = ClusterBuilder::default().environment(chosen);
        if let Some(kind) = self.backend.map_or_else(backend_variable, |kind| Ok(Some(kind)))? {
            builder = builder.backend(kind);
        }
        if let Some(dir) = &self.job_base_dir {
            builder = builder.job_base_dir(dir);
        }
        if let Some(path) = &self.runner_binary {
            builder = builder.runner_binary(path);
        }
        #[cfg(feature = "ssh")]
        if let Some(policy) = self.host_key_policy {
            builder = builder.host_key_policy(policy);
        }
        builder.progress(self.progress_mode()?).dry_run(self.dry_run).prints_dry_run().build()
    }
}

impl ClusterArgs {
    fn progress_mode(&self) -> Result<ProgressMode> {
        match self.progress {
            Some(mode) => Ok(mode),
            None => Ok(ProgressMode::of_variable()?.unwrap_or(ProgressMode::Auto)),
        }
    }
}

/// The command line of a program without flags of its own.
#[cfg(feature = "cli")]
#[derive(Debug, clap::Parser)]
#[command(about = None, long_about = None)]
struct OnlyCluster {
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Reads the command line of a program that has no flags of its own. A mistake in it is printed, and ends the process.
#[cfg(feature = "cli")]
#[allow(clippy::unnecessary_wraps, reason = "as without the feature")]
pub(crate) fn command_line() -> Result<ClusterArgs> {
    Ok(<OnlyCluster as clap::Parser>::parse().cluster)
}

/// Reads the command line of a program that has no flags of its own. It has to be empty: a flag that was not read
/// could send jobs to another cluster than the user means.
#[cfg(not(feature = "cli"))]
pub(crate) fn command_line() -> Result<ClusterArgs> {
    match std::env::args_os().nth(1) {
        None => Ok(ClusterArgs::default()),
        Some(argument) => Err(Error::Config {
            message: format!(
                "this program was built without a command line and cannot read `{}`",
                argument.to_string_lossy()
            ),
            hint: "choose the cluster with SLURM_SDK_BACKEND, SLURM_ENV or a Slurmfile, or build the program with the feature `cli` of slurm-sdk".to_owned(),
        }),
    }
}

#[cfg(all(test, feature = "cli"))]
mod tests {
    use clap::{CommandFactory as _, Parser};

    use super::ClusterArgs;

    /// Trains models.
    #[derive(Parser)]
    struct Described {
        #[command(flatten)]
        #[allow(dead_code)]
        cluster: ClusterArgs,
    }

    #[test]
    fn the_help_of_a_program_describes_the_program() {
        let help = Described::command().render_long_help().to_string();
        assert!(help.starts_with("Trains models"), "{help}");
        assert!(help.contains("--job-base-dir") && !help.contains("```"), "{help}");
    }
}
