//! This machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use slurm_core::durable;

use crate::binary::Binary;
use crate::command::{CommandLine, Output};
use crate::error::HostError;
use crate::files::{Found, Look, NewDir, NewFile};
use crate::folder::{self, Folder};
use crate::host::Host;
use crate::order::{Order, Submitted};
use crate::staged;

/// The machine that this process runs on.
#[derive(Debug)]
pub struct LocalHost;

impl LocalHost {
    /// Creates the directory `dir` with `files` in it. On an error nothing of it is left.
    ///
    /// A base that belongs to another user or that everybody may write to is refused, and so is a
    /// symbolic link or another user's directory below it.
    pub fn create_dir_with(dir: &NewDir<'_>, files: &[NewFile<'_>]) -> Result<(), HostError> {
        folder::create_with(dir, files)
    }
}

impl Host for LocalHost {
    fn run(&self, command: &CommandLine) -> Result<Output, HostError> {
        command.run_here()
    }

    fn submit(&self, orders: &[Order<'_>]) -> Vec<Result<Submitted, HostError>> {
        let submit = |order: &Order<'_>| {
            if let Some((dir, files)) = order.new {
                Self::create_dir_with(dir, files)?;
            }
            self.run(&order.command).map(|output| Submitted { output, noted: None })
        };
        orders.iter().map(submit).collect()
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), HostError> {
        durable::replace(path, bytes).map_err(|error| HostError::file("write", path, error))
    }

    fn write_first(&self, path: &Path, bytes: &[u8]) -> Result<Vec<u8>, HostError> {
        let written = durable::claim(path, bytes);
        written.map_err(|error| HostError::file("write", path, error))?;
        Ok(self.read(path, 0)?.unwrap_or_default())
    }

    fn read(&self, path: &Path, offset: u64) -> Result<Option<Vec<u8>>, HostError> {
        read_regular(path, |file| {
            if offset > 0 {
                file.seek(SeekFrom::Start(offset))?;
            }
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        })
    }

    fn look(&self, looks: &[Look], _most: u64) -> Result<Vec<Result<Found, HostError>>, HostError> {
        let look = |look: &Look| match look {
            Look::File { path, offset } => {
                Ok(self.read(path, *offset)?.map_or(Found::Nothing, Found::Bytes))
            }
            Look::Dir { path } => match names(path) {
                Ok(names) => Ok(Found::Names(names)),
                Err(error) if is_absence(&error) => Ok(Found::Nothing),
                Err(error) => Err(HostError::file("read", path, error)),
            },
        };
        Ok(looks.iter().map(look).collect())
    }

    fn remove_dir(&self, dir: &Path) -> Result<(), HostError> {
        match fs::remove_dir_all(dir) {
            Err(error) if !is_absence(&error) => Err(HostError::file("remove", dir, error)),
            _ => Ok(()),
        }
    }

    fn read_end(&self, path: &Path, length: u64) -> Result<Option<Vec<u8>>, HostError> {
        if path == Path::new("/dev/null") {
            return Ok(Some(Vec::new()));
        }
        read_regular(path, |file| {
            file.seek(SeekFrom::Start(file.metadata()?.size().saturating_sub(length)))?;
            let mut bytes = Vec::new();
            // No more than asked for, also of a file that grows faster than it is read.
            file.take(length).read_to_end(&mut bytes)?;
            Ok(bytes)
        })
    }

    fn spool_dir(&self, job_base_dir: &Path) -> Result<PathBuf, HostError> {
        // On the same file system as the jobs, so that a file of any size only has to be renamed.
        let folder = Folder::base(job_base_dir)?.enter(".spool", Some(0o700))?;
        Ok(folder.path().to_owned())
    }

    fn staging_path(&self, binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
        staged::staging_path(binary, job_base_dir)
    }

    fn mark_as_used(&self, staged: &Path) -> Result<bool, HostError> {
        Ok(staged::mark_as_used(staged))
    }

    fn stage(&self, binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
        staged::stage(binary, job_base_dir)
    }
}

/// The error for a device or a pipe.
pub(super) const NOT_REGULAR: &str = "it is not a regular file";

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads a regular file, or returns `None` if there is no file. Other files are refused: a device may have no end, and
/// opening a pipe blocks until another process writes to it.
fn read_regular(
    path: &Path,
    read: impl Fn(&mut File) -> io::Result<Vec<u8>>,
) -> Result<Option<Vec<u8>>, HostError> {
    let open = || {
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = i32::try_from(flags.bits()).unwrap_or_default();
        let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
        let kind = file.metadata()?.file_type();
        if !kind.is_file() && !kind.is_dir() {
            return Err(io::Error::other(NOT_REGULAR));
        }
        read(&mut file)
    };
    // A file that another host has replaced meanwhile is stale, and the new one is there to be read.
    let mut read = open();
    for _ in 0..3 {
        match &read {
            Err(error) if error.kind() == io::ErrorKind::StaleNetworkFileHandle => read = open(),
            _ => break,
        }
    }
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_absence(&error) => Ok(None),
        Err(error) => Err(HostError::file("read", path, error)),
    }
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Content;

    #[test]
    fn a_directory_that_cannot_be_filled_is_not_left_half_full() {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("task/job");
        let new = NewDir { base: base.path(), below: Path::new("task/job"), mode: None };
        let good =
            NewFile { name: "spec", content: Content::Bytes(b"x"), mode: None, synced: true };
        let bad = NewFile { name: "no/such/folder", ..good };
        assert!(LocalHost::create_dir_with(&new, &[good, bad]).is_err());
        assert!(!dir.exists());
    }

    #[test]
    fn a_submission_never_lands_in_a_directory_that_exists() {
        let base = tempfile::tempdir().unwrap();
        let file =
            NewFile { name: "spec", content: Content::Bytes(b"x"), mode: None, synced: false };
        let new = NewDir { base: base.path(), below: Path::new("a"), mode: None };
        LocalHost::create_dir_with(&new, &[file]).unwrap();
        assert!(LocalHost::create_dir_with(&new, &[file]).is_err());
        assert_eq!(fs::read(base.path().join("a/spec")).unwrap(), b"x");
    }
}
