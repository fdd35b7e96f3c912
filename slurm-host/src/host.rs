//! What a host does for the drivers above it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::binary::Binary;
use crate::command::{CommandLine, Output};
use crate::error::HostError;
use crate::files::{Found, Look};
use crate::order::{NoteOfRun, Order, Submitted};

/// A machine on which commands run and files lie.
pub trait Host: fmt::Debug + Send + Sync {
    /// Runs a command to its end.
    ///
    /// A command that ran and failed is an `Ok`: its meaning is the caller's to judge.
    fn run(&self, command: &CommandLine) -> Result<Output, HostError>;

    /// Runs a command to its end, and leaves a note if it did something.
    ///
    /// If the note cannot be written, that is not an error, because the command has run.
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

    /// Creates a file with all of its content, unless the file exists, and returns the content of the file. Of several
    /// writers, exactly one gets its own bytes.
    fn write_first(&self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>, HostError>;

    /// Reads a file from `offset` on, or returns `None` if it does not exist.
    fn read(&self, path: &Path, offset: u64) -> Result<Option<Vec<u8>>, HostError>;

    /// Looks at several files and directories in one go, and answers in their order. A file with more than
    /// `most` bytes may be told as [`Found::Large`], so that the others need not wait for it.
    ///
    /// # Errors
    /// If no look was possible. The error of a single look is in its place in the answer.
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

    /// Returns a directory of this machine for files that will be [spooled](crate::Content::Spooled) to
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
