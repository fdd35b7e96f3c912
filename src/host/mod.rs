//! Where commands run and files lie.
//!
//! A [`Host`] is the machine from which jobs are submitted: this one ([`LocalHost`]), or one behind an SSH
//! connection (`SshHost`). The drivers above it are written against the trait alone.

mod command;
pub(crate) mod fit;
mod folder;
mod local;
mod printable;
#[cfg(feature = "ssh")]
mod remote;
#[cfg(feature = "ssh")]
pub(crate) mod ssh;
mod staged;
mod word;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
#[cfg(feature = "ssh")]
use std::sync::Arc;
use std::time::Duration;

pub use command::Output;
#[cfg(feature = "ssh")]
use command::SCRUBBED_PREFIXES;
pub(crate) use command::{CommandLine, is_scrubbed};
pub(crate) use folder::Folder;
pub(crate) use local::LocalHost;
#[cfg(feature = "ssh")]
use local::NOT_REGULAR;
pub(crate) use printable::Printable;
#[cfg(feature = "ssh")]
pub(crate) use remote::{Manner, SshHost};
pub(crate) use staged::staged_for;
pub(crate) use word::{quoted_word, shell_word};

/// A machine on which commands run and files lie.
pub(crate) trait Host: fmt::Debug + Send + Sync {
    /// Runs a command to its end.
    ///
    /// A command that ran and failed is an `Ok`: its meaning is the caller's to judge.
    fn run(&self, command: &CommandLine) -> Result<Output, HostError>;

    /// Runs a command to its end, and leaves a note if it did something.
    ///
    /// A note that cannot be written is no error: the command has run.
    fn run_noted(&self, command: &CommandLine, note: &NoteOfRun<'_>) -> Result<Output, HostError> {
        let output = self.run(command)?;
        let denied = note.unless.iter().any(|words| output.stderr.contains(words));
        if output.status.success()
            && !denied
            && let Err(error) = self.write(note.path, note.content.as_bytes())
        {
            log::warn!("`{command}` has run, but that could not be noted: {}", error.with_source());
        }
        Ok(output)
    }

    /// Makes submissions: for each order its directory, and then its command, which is not repeated
    /// whatever happens. The answers are in the order of the orders.
    ///
    /// # Errors
    /// [`HostError::File`] and [`HostError::Unsafe`]: the directory could not be made, nothing of it is left,
    /// and the command did not run. Where [the outcome is open](HostError::leaves_open), the command may have
    /// run. After any other error it did not, and the directory is there.
    fn submit(&self, orders: &[Order<'_>]) -> Vec<Result<Submitted, HostError>>;

    /// Writes a file whole or not at all.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), HostError>;

    /// Writes a file whole unless it is there, and returns what is there then: of several writers, exactly
    /// one finds its own bytes.
    fn write_first(&self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>, HostError>;

    /// Reads a file from `offset` on, or returns `None` if it does not exist.
    fn read(&self, path: &Path, offset: u64) -> Result<Option<Vec<u8>>, HostError>;

    /// Looks at several files and directories in one go, and answers in their order. A file with more than
    /// `most` bytes may be told as [`Found::Large`], so that the others need not wait for it.
    ///
    /// # Errors
    /// If nothing could be looked at; what is wrong with a single one is in its place.
    fn look(&self, looks: &[Look], most: u64) -> Result<Vec<Result<Found, HostError>>, HostError>;

    /// Reads the last `length` bytes of a log, or returns `None` if it does not exist. Only regular files are
    /// read: a device or a pipe may have no end.
    fn read_end(&self, path: &Path, length: u64) -> Result<Option<Vec<u8>>, HostError>;

    /// Removes a directory with everything in it, if it exists.
    fn remove_dir(&self, dir: &Path) -> Result<(), HostError>;

    /// Removes the directory of a submission that came to nothing.
    fn withdraw(&self, dir: &Path) -> Result<(), HostError> {
        self.remove_dir(dir)
    }

    /// Returns a directory of this machine for files that will be [spooled](Content::Spooled) to
    /// below `job_base_dir`; it exists.
    fn spool_dir(&self, job_base_dir: &Path) -> Result<PathBuf, HostError>;

    /// Returns where the binary lies, or would lie, once it is staged.
    fn staging_path(&self, binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError>;

    /// Marks a staged program as used, so that it stays, and returns whether it is there.
    fn mark_as_used(&self, staged: &Path) -> Result<bool, HostError>;

    /// Puts the binary below `job_base_dir`, once per content, and returns where it is. It is marked as used.
    fn stage(&self, binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError>;

    /// Returns its name, if it is another machine than this.
    fn name(&self) -> Option<&str> {
        None
    }

    /// Returns how long a question takes at least.
    fn round_trip(&self) -> Duration {
        Duration::ZERO
    }
}

/// A submission: a directory, and the command that makes a job of it.
#[derive(Debug)]
#[cfg_attr(not(feature = "ssh"), allow(dead_code, reason = "this machine needs less"))]
pub(crate) struct Order<'a> {
    pub(crate) dir: &'a Path,
    /// The same directory with its files, if it is not there yet.
    pub(crate) new: Option<(&'a NewDir<'a>, &'a [NewFile<'a>])>,
    /// Sequence number among the commands run for this directory.
    pub(crate) number: u32,
    pub(crate) command: CommandLine,
    /// Where the job's id should be noted, if that costs nothing.
    pub(crate) note: Option<Note<'a>>,
}

/// A file of the directory with the number that the command printed.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "ssh"), allow(dead_code, reason = "this machine needs less"))]
pub(crate) struct Note<'a> {
    pub(crate) name: &'a str,
    /// What stands before and after the number.
    pub(crate) around: (&'a str, &'a str),
}

/// A file that says that a command has run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoteOfRun<'a> {
    pub(crate) path: &'a Path,
    pub(crate) content: &'a str,
    /// Words on standard error after which nothing is noted.
    pub(crate) unless: &'a [&'a str],
}

/// What became of an [`Order`].
#[derive(Debug)]
pub(crate) struct Submitted {
    pub(crate) output: Output,
    /// The number that was noted.
    pub(crate) noted: Option<String>,
}

/// A program of this machine that is to run in jobs.
#[derive(Clone, Debug)]
pub(crate) struct Binary {
    /// Where it is read.
    pub(crate) path: PathBuf,
    /// What it will be called: nothing that a shell or a table of processes could stumble over.
    pub(crate) name: String,
}

impl Binary {
    /// Returns the program at `path`.
    pub(crate) fn at(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.strip_suffix(" (deleted)").unwrap_or(&name);
        let plain = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        Self { path: path.to_owned(), name: name.chars().map(plain).collect() }
    }

    /// Returns the running program, also when its file was replaced or removed since it started.
    pub(crate) fn running() -> io::Result<Self> {
        let known = std::env::current_exe()?;
        let open = Path::new("/proc/self/exe");
        Ok(Self {
            path: if open.exists() { open.to_owned() } else { known.clone() },
            ..Self::at(&known)
        })
    }

    /// Returns whether it is the running program for certain.
    pub(crate) fn is_running(&self) -> bool {
        self.path == Path::new("/proc/self/exe")
    }
}

/// Something to look at.
#[derive(Clone, Debug)]
pub(crate) enum Look {
    /// The content of a file from `offset` on.
    File { path: PathBuf, offset: u64 },
    /// The names in a directory.
    Dir { path: PathBuf },
}

#[cfg(feature = "ssh")]
impl Look {
    fn path(&self) -> &Path {
        match self {
            Self::File { path, .. } | Self::Dir { path } => path,
        }
    }
}

/// What was found there.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    /// It does not exist.
    Nothing,
    /// The content of the file.
    Bytes(Vec<u8>),
    /// The file is there, and better read alone.
    #[cfg_attr(not(feature = "ssh"), allow(dead_code, reason = "this machine reads any at once"))]
    Large,
    /// The names in the directory, in any order; those that are not UTF-8 are left out.
    Names(Vec<String>),
}

/// A directory to be created.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewDir<'a> {
    /// The job base directory.
    pub(crate) base: &'a Path,
    /// The directory's path below it.
    pub(crate) below: &'a Path,
    /// The permission bits, or what the umask leaves.
    pub(crate) mode: Option<u32>,
}

impl Found {
    /// Returns the content, if it is that of a file.
    pub(crate) fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// What a directory gets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewFile<'a> {
    pub(crate) name: &'a str,
    pub(crate) content: Content<'a>,
    /// Exactly these permission bits, or what the umask and those of the directory leave.
    pub(crate) mode: Option<u32>,
    /// Whether the job reads it, so that it has to be on the disk before the job exists.
    pub(crate) synced: bool,
}

/// The content of a [`NewFile`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// Contents moved from a local file (consumed), for data too large for memory. The file lies in the
    /// directory that [`Host::spool_dir`] returned.
    Spooled(&'a Path),
    /// No content: a directory.
    Dir,
}

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
    Ssh(Arc<ssh::SshError>),
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
impl From<ssh::SshError> for HostError {
    fn from(error: ssh::SshError) -> Self {
        Self::Ssh(Arc::new(error))
    }
}

/// Returns a path as scp takes it: with the host before it, if it is not this machine.
fn place(host: Option<&str>, path: &Path) -> String {
    let path = path.display();
    host.map_or_else(|| path.to_string(), |host| format!("{host}:{path}"))
}

impl HostError {
    pub(crate) fn file(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::File { action, path: path.to_owned(), host: None, source }
    }

    /// Returns the error with the host that has the file.
    #[cfg(feature = "ssh")]
    fn on(mut self, name: &str) -> Self {
        if let Self::File { host, .. } | Self::Unsafe { host, .. } = &mut self {
            *host = Some(name.to_owned());
        }
        self
    }

    /// Returns the error with what the system said.
    pub(crate) fn with_source(&self) -> String {
        match self {
            Self::File { source, .. } | Self::Start { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }

    /// Returns whether what was to be done may have been done.
    pub(crate) fn leaves_open(&self) -> bool {
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
