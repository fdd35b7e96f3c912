//! Staging on this machine.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use slurm_core::durable;
use slurm_core::layout::binary_folder;

use super::slim::slim;
use super::{folder_of, is_hash, retire};
use crate::binary::Binary;
use crate::error::HostError;
use crate::folder::Folder;

/// Returns where a program lies, or would lie, once it is staged.
pub(crate) fn staging_path(binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
    let reading = |error| HostError::file("read", &binary.path, error);
    let mut file = File::open(&binary.path).map_err(reading)?;
    let index = index_entry(job_base_dir, &file.metadata().map_err(reading)?);
    // The same file as last time need not be read again to know its content.
    let folder = match Entry::read(&index) {
        Some(entry) => entry.folder,
        None => {
            let mut program = Vec::new();
            file.read_to_end(&mut program).map_err(reading)?;
            folder_of(&program)
        }
    };
    Ok(binary_folder(job_base_dir, &folder).join(&binary.name))
}

/// Puts a program where jobs find it, unless it is there, and returns its path. If the program is new, unneeded ones
/// are removed.
pub(crate) fn stage(binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
    let reading = |error| HostError::file("read", &binary.path, error);
    let mut file = File::open(&binary.path).map_err(reading)?;
    let metadata = file.metadata().map_err(reading)?;
    let bin = Folder::base(job_base_dir)?.enter(".bin", None)?;
    bin.enter("index", None)?;
    let index = index_entry(job_base_dir, &metadata);
    if let Some(Entry { folder, size }) = Entry::read(&index) {
        let folder = bin.enter(&folder, None)?;
        let staged = folder.path().join(&binary.name);
        // In this order, so that a program in use is not removed.
        is_in_use(folder.path());
        if is_whole(&staged, size) {
            return Ok(staged);
        }
    }
    let mut program = Vec::new();
    file.read_to_end(&mut program).map_err(reading)?;
    let folder = folder_of(&program);
    let lean = slim(&program).unwrap_or(program);
    let size = lean.len() as u64;
    let staged = binary_folder(job_base_dir, &folder).join(&binary.name);
    let place = bin.enter(&folder, None)?;
    is_in_use(place.path());
    if !is_whole(&staged, size) {
        let copy = durable::temporary_beside(&job_base_dir.join(".bin").join(&binary.name));
        let writing = |error| HostError::file("write", &copy, error);
        let written = write_program(&lean, &metadata, &copy).map_err(writing)?;
        durable::rename(&written, &copy, &staged)
            .map_err(|error| HostError::file("write", &staged, error))?;
        drop(written);
        retire::in_dir(job_base_dir, SystemTime::now());
    }
    durable::replace(&index, format!("{folder} {size}").as_bytes())
        .map_err(|error| HostError::file("write", &index, error))?;
    Ok(staged)
}

/// Marks a staged program as used, so that it stays, and returns whether it is there.
pub(crate) fn mark_as_used(staged: &Path) -> bool {
    staged.parent().is_some_and(|folder| {
        is_in_use(folder);
        staged.is_file()
    })
}

/// Notes that a program is about to be used: the time at which its folder was last changed.
fn is_in_use(folder: &Path) {
    let touched = File::open(folder).and_then(|folder| folder.set_modified(SystemTime::now()));
    if let Err(error) = touched {
        log::debug!("{}: {error}", folder.display());
    }
}

/// Returns whether a complete program is there that belongs to this user, so that no other user can have put it there.
fn is_whole(staged: &Path, size: u64) -> bool {
    fs::symlink_metadata(staged).is_ok_and(|known| {
        let user = rustix::process::geteuid().as_raw();
        known.is_file() && known.uid() == user && known.size() == size
    })
}

/// A note about a file: the hash under which it is staged, and its size.
struct Entry {
    folder: String,
    size: u64,
}

impl Entry {
    fn read(index: &Path) -> Option<Self> {
        let text = fs::read_to_string(index).ok()?;
        let (folder, size) = text.split_once(' ')?;
        let size = size.parse().ok()?;
        is_hash(folder).then(|| Self { folder: folder.to_owned(), size })
    }
}

/// The path of the note, whose name changes whenever the file changes.
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

/// Writes a program into a new file that may be run and not be written.
fn write_program(program: &[u8], source: &fs::Metadata, target: &Path) -> io::Result<File> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).open(target)?;
        file.write_all(program)?;
        let mode = source.permissions().mode() | 0o500;
        file.set_permissions(fs::Permissions::from_mode(mode & 0o555))?;
        file.sync_all()?;
        // A program that is open for writing cannot be run.
        File::open(target)
    };
    let written = write();
    if written.is_err() {
        let _ = fs::remove_file(target);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy_of_this(dir: &Path) -> Binary {
        let source = dir.join("program");
        fs::copy("/proc/self/exe", &source).unwrap();
        Binary::at(&source)
    }

    #[test]
    fn a_binary_is_staged_once_per_content() {
        let base = tempfile::tempdir().unwrap();
        let source = base.path().join("program");
        fs::write(&source, b"first").unwrap();
        let binary = Binary::at(&source);
        let planned = staging_path(&binary, base.path()).unwrap();
        let first = stage(&binary, base.path()).unwrap();
        assert_eq!(first, planned);
        assert_eq!(stage(&binary, base.path()).unwrap(), first);
        assert_eq!(fs::read(&first).unwrap(), b"first");
        fs::remove_file(&source).unwrap();
        fs::write(&source, b"second").unwrap();
        let second = stage(&binary, base.path()).unwrap();
        assert_ne!(first, second);
        assert_eq!(fs::read(&first).unwrap(), b"first");
    }

    #[test]
    fn a_program_is_staged_without_what_debuggers_read() {
        let base = tempfile::tempdir().unwrap();
        let binary = copy_of_this(base.path());
        let planned = staging_path(&binary, base.path()).unwrap();
        let staged = stage(&binary, base.path()).unwrap();
        assert_eq!(staged, planned);
        let sizes = [&binary.path, &staged].map(|file| fs::metadata(file).unwrap().len());
        assert!(sizes[1] < sizes[0], "{sizes:?}");
        // The second time nothing is written.
        let inode = |file: &Path| fs::metadata(file).unwrap().ino();
        let before = inode(&staged);
        assert_eq!(stage(&binary, base.path()).unwrap(), staged);
        assert_eq!(inode(&staged), before);
        // One that was damaged is.
        fs::set_permissions(&staged, fs::Permissions::from_mode(0o700)).unwrap();
        OpenOptions::new().write(true).open(&staged).unwrap().set_len(100).unwrap();
        assert_eq!(stage(&binary, base.path()).unwrap(), staged);
        assert_eq!(fs::metadata(&staged).unwrap().len(), sizes[1]);
    }
}
