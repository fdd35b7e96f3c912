//! The command line of programs that submit.

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::cluster::{BackendKind, Cluster, ClusterBuilder};
use crate::error::Result;

/// The flags by which a user says where jobs go; flatten it into your own clap command line.
///
/// ```no_run
/// use clap::Parser;
///
/// #[derive(Parser)]
/// struct Cli {
///     #[command(flatten)]
///     cluster: slurm::ClusterArgs,
///     #[arg(long, default_value_t = 10)]
///     epochs: u32,
/// }
///
/// # fn main() -> slurm::Result<()> {
/// slurm::init()?;
/// let cli = Cli::parse();
/// let cluster = cli.cluster.open()?;
/// # Ok(())
/// # }
/// ```
#[derive(Args, Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClusterArgs {
    /// Who runs the jobs: `local` (embedded) or `slurm` (of this host) [default: $SLURM_SDK_BACKEND, or local]
    #[arg(long, value_name = "BACKEND", value_parser = backend, help_heading = "Cluster")]
    pub backend: Option<BackendKind>,

    /// Where every job has its directory [default: $SLURM_SDK_JOB_BASE_DIR, or ~/slurm_jobs]
    #[arg(long, value_name = "DIR", help_heading = "Cluster")]
    pub job_base_dir: Option<PathBuf>,

    /// The program that runs inside the jobs, if not this one
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub runner_binary: Option<PathBuf>,

    /// Show what would be submitted, and submit nothing
    #[arg(long, help_heading = "Cluster")]
    pub dry_run: bool,
}

impl ClusterArgs {
    /// Returns the cluster that the flags name, and the environment where they do not.
    ///
    /// # Errors
    /// As [`ClusterBuilder::build`].
    pub fn open(&self) -> Result<Cluster> {
        let mut builder = match self.backend {
            // A variable that makes no sense does not matter when the flag says what to do.
            Some(kind) => ClusterBuilder::default().backend(kind),
            None => ClusterBuilder::from_env()?,
        };
        if let Some(dir) = &self.job_base_dir {
            builder = builder.job_base_dir(dir);
        }
        if let Some(path) = &self.runner_binary {
            builder = builder.runner_binary(path);
        }
        builder.dry_run(self.dry_run).build()
    }
}

fn backend(text: &str) -> Result<BackendKind, String> {
    text.parse().map_err(|error: crate::Error| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    })
}

/// The command line of a program that has no flags of its own.
#[derive(Debug, Parser)]
#[command(about = None, long_about = None)]
pub(crate) struct OnlyCluster {
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
}
