//! What can go wrong on a host.

#[cfg(feature = "ssh")]
mod attempt;
#[cfg(feature = "ssh")]
mod host_key;
#[cfg(feature = "ssh")]
mod ssh;

use std::io;
use std::path::{Path, PathBuf};
#[cfg(feature = "ssh")]
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "ssh")]
pub use attempt::Attempt;
#[cfg(feature = "ssh")]
pub(crate) use attempt::{BROKE_OFF, NO_ANSWER, TOO_LATE};
#[cfg(feature = "ssh")]
pub use host_key::{HostKeyError, HostKeyProblem, KeyPlace};
#[cfg(feature = "ssh")]
pub use ssh::SshError;

/// Why something could not be done on a host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A file or directory could not be used.
    #[error("cannot {action} {}", place(host.as_deref(), path))]
    File {
        /// What was tried: `create`, `write`, `read`, …
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The host, if it is not this machine.
        host: Option<String>,
        /// What the system said.
        source: io::Error,
    },
    /// A directory that others could misuse; nothing was written to it.
    #[error("will not use {}: {reason}", place(host.as_deref(), path))]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// The host, if it is not this machine.
        host: Option<String>,
        /// Why not.
        reason: &'static str,
    },
    /// A program is not installed, or not in `PATH`.
    #[error("cannot run `{command}`: {program} was not found")]
    CommandMissing {
        /// The program.
        program: String,
        /// The whole command line.
        command: String,
    },
    /// A program could not be started.
    #[error("cannot run `{command}`")]
    Start {
        /// The whole command line.
        command: String,
        /// What the system said.
        source: io::Error,
    },
    /// A program did not end in time and was killed.
    #[error("`{command}` did not end within {} s", limit.as_secs())]
    Timeout {
        /// The whole command line.
        command: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The host could not be reached over SSH.
    #[cfg(feature = "ssh")]
    #[error(transparent)]
    Ssh(Arc<SshError>),
    /// The connection to the host was lost, or the shell on it does not answer.
    #[error("the connection to {host} was lost: {reason}")]
    Lost {
        /// The host.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The program cannot run on the host.
    #[error(transparent)]
    Unfit(Box<Unfit>),
}

/// A program that cannot run on a host.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{} needs {needs}, but {host} has {has}", program.display())]
#[non_exhaustive]
pub struct Unfit {
    /// The program.
    pub program: PathBuf,
    /// What it needs.
    pub needs: String,
    /// The host.
    pub host: String,
    /// What the host has instead.
    pub has: String,
    /// The commands that build one that fits.
    pub fixes: String,
}

#[cfg(feature = "ssh")]
impl From<SshError> for HostError {
    fn from(error: SshError) -> Self {
        Self::Ssh(Arc::new(error))
    }
}

/// Returns a path as scp takes it: with the host before it, if it is not this machine.
fn place(host: Option<&str>, path: &Path) -> String {
    let path = path.display();
    host.map_or_else(|| path.to_string(), |host| format!("{host}:{path}"))
}

impl HostError {
    /// Returns the error about a file of this machine.
    #[doc(hidden)]
    pub fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), host: None, source }
    }

    /// Returns the error with the host that has the file.
    #[cfg(feature = "ssh")]
    pub(crate) fn on(mut self, name: &str) -> Self {
        if let Self::File { host, .. } | Self::Unsafe { host, .. } = &mut self {
            *host = Some(name.to_owned());
        }
        self
    }

    /// Returns the error with what the system said.
    #[doc(hidden)]
    pub fn with_source(&self) -> String {
        match self {
            Self::File { source, .. } | Self::Start { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }

    /// Returns whether the operation may have been carried out in spite of the error.
    #[doc(hidden)]
    pub fn leaves_open(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Lost { .. })
    }

    /// Returns what can be done about it, if anything is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::File { source, path, .. } => match source.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => format!(
                    "choose another directory with --job-base-dir or SLURM_SDK_JOB_BASE_DIR, or look at `ls -ld {}`",
                    path.parent().unwrap_or(path).display()
                ),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => format!(
                    "free some space (`df -h {}`), or choose another directory with --job-base-dir or SLURM_SDK_JOB_BASE_DIR",
                    path.parent().unwrap_or(path).display()
                ),
                _ => return None,
            },
            Self::Unsafe { path, .. } => format!(
                "give jobs a directory of your own: `mkdir -p -m 700 DIR`, then --job-base-dir DIR or SLURM_SDK_JOB_BASE_DIR; see `ls -ld {}`",
                path.display()
            ),
            Self::CommandMissing { program, .. } => format!(
                "`which {program}` should find Slurm's command: log in to a login node, load the cluster's Slurm module, or use --backend local; over SSH, set slurm_bin_dir or login_shell"
            ),
            Self::Timeout { .. } => {
                "the Slurm controller may be overloaded or down: try `sinfo`".to_owned()
            }
            #[cfg(feature = "ssh")]
            Self::Ssh(error) => return error.hint(),
            Self::Lost { host, .. } => format!("does `ssh {host} true` work?"),
            Self::Unfit(program) => program.fixes.clone(),
            Self::Start { .. } => return None,
        })
    }
}
