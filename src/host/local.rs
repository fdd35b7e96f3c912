//! This machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use slurm_core::durable;
use slurm_core::layout::binary_folder;

use super::folder::{self, Folder};
use super::{
    Binary, CommandLine, Found, Host, HostError, Look, NewDir, NewFile, Order, Output, Submitted,
};

/// The machine that this process runs on.
#[derive(Debug)]
pub(crate) struct LocalHost;

impl LocalHost {
    /// Creates the directory `dir` with `files` in it. On an error nothing of it is left.
    ///
    /// A base that belongs to another user or that everybody may write to is refused, and so is a
    /// symbolic link or another user's directory below it.
    pub(crate) fn create_dir_with(
        dir: &NewDir<'_>,
        files: &[NewFile<'_>],
    ) -> Result<(), HostError> {
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
        let reading = |error| HostError::file("read", &binary.path, error);
        let mut file = File::open(&binary.path).map_err(reading)?;
        let index = index_entry(job_base_dir, &file.metadata().map_err(reading)?);
        // The same file as last time need not be read again to know its content.
        if let Some(hash) = fs::read_to_string(index).ok().filter(|hash| is_hash(hash)) {
            return Ok(binary_folder(job_base_dir, &hash).join(&binary.name));
        }
        let mut hasher = blake3::Hasher::new();
        io::copy(&mut file, &mut hasher).map_err(reading)?;
        let hash = hasher.finalize().to_hex();
        Ok(binary_folder(job_base_dir, &hash[..HASH_DIGITS]).join(&binary.name))
    }

    fn stage(&self, binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
        let reading = |error| HostError::file("read", &binary.path, error);
        let mut file = File::open(&binary.path).map_err(reading)?;
        let metadata = file.metadata().map_err(reading)?;
        // Of this user, so that nobody else has put it there.
        let is_whole = |staged: &Path| {
            fs::symlink_metadata(staged).is_ok_and(|known| {
                let user = rustix::process::geteuid().as_raw();
                known.is_file() && known.uid() == user && known.size() == metadata.size()
            })
        };
        let bin = Folder::base(job_base_dir)?.enter(".bin", None)?;
        bin.enter("index", None)?;
        let index = index_entry(job_base_dir, &metadata);
        if let Some(hash) = fs::read_to_string(&index).ok().filter(|hash| is_hash(hash)) {
            let staged = bin.enter(&hash, None)?.path().join(&binary.name);
            if is_whole(&staged) {
                return Ok(staged);
            }
        }
        // Hashed while it is copied, so that what lies under a hash has it, whatever happens to the original.
        let copy = durable::temporary_beside(&job_base_dir.join(".bin").join(&binary.name));
        let hash = copy_hashed(&mut file, &copy)
            .map_err(|error| HostError::file("write", &copy, error))?;
        let staged = binary_folder(job_base_dir, &hash).join(&binary.name);
        let placed = if is_whole(&staged) {
            fs::remove_file(&copy)
        } else {
            bin.enter(&hash, None)?;
            fs::rename(&copy, &staged)
        };
        placed.map_err(|error| HostError::file("write", &staged, error))?;
        self.write(&index, hash.as_bytes())?;
        Ok(staged)
    }
}

/// Why a device or a pipe is not read.
pub(super) const NOT_REGULAR: &str = "it is not a regular file";

/// 128 bits of a BLAKE3 hash.
pub(super) const HASH_DIGITS: usize = 32;

/// Where the content hash of a file is noted, under what tells a changed file from the same one.
fn index_entry(job_base_dir: &Path, metadata: &fs::Metadata) -> PathBuf {
    let changed = (metadata.mtime(), metadata.mtime_nsec());
    job_base_dir.join(".bin/index").join(format!(
        "{:x}-{:x}-{:x}-{:x}.{:x}",
        metadata.dev(),
        metadata.ino(),
        metadata.size(),
        changed.0,
        changed.1,
    ))
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Reads a regular file, or returns `None` if there is no file. A device may have no end, and to open a pipe
/// may take as long as nobody writes to it.
fn read_regular(
    path: &Path,
    read: impl FnOnce(&mut File) -> io::Result<Vec<u8>>,
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
    match open() {
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

/// Copies a program into a new file that may be run and not be written, and returns its hash.
fn copy_hashed(source: &mut File, target: &Path) -> io::Result<String> {
    let copy = |source: &mut File| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(target)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match source.read(&mut buffer)? {
                0 => break,
                read => {
                    hasher.update(&buffer[..read]);
                    file.write_all(&buffer[..read])?;
                }
            }
        }
        let mode = source.metadata()?.permissions().mode() | 0o500;
        file.set_permissions(fs::Permissions::from_mode(mode & 0o555))?;
        file.sync_all()?;
        Ok(hasher.finalize().to_hex()[..HASH_DIGITS].to_owned())
    };
    let copied = copy(source);
    if copied.is_err() {
        let _ = fs::remove_file(target);
    }
    copied
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Content;

    #[test]
    fn a_binary_is_staged_once_per_content() {
        let base = tempfile::tempdir().unwrap();
        let source = base.path().join("program");
        fs::write(&source, b"first").unwrap();
        let binary = Binary::at(&source);
        let planned = LocalHost.staging_path(&binary, base.path()).unwrap();
        let first = LocalHost.stage(&binary, base.path()).unwrap();
        assert_eq!(first, planned);
        assert_eq!(LocalHost.stage(&binary, base.path()).unwrap(), first);
        assert_eq!(fs::read(&first).unwrap(), b"first");
        fs::remove_file(&source).unwrap();
        fs::write(&source, b"second").unwrap();
        let second = LocalHost.stage(&binary, base.path()).unwrap();
        assert_ne!(first, second);
        assert_eq!(fs::read(&first).unwrap(), b"first");
    }

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
