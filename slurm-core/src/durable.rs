//! Writes that are whole or absent, and files that no more users can read than their directory.
//!
//! A file server may carry out a request whose answer is lost, and refuse the repetition: a file that was renamed is
//! then missing, and a new link exists already. So these errors are compared with the files that the names now have.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Writes `bytes` to `path` so that a reader finds either the whole file or none, also after a crash
/// or on a full disk.
///
/// The bytes go to a temporary file beside it, which is synced and renamed over `path`; then the
/// directory is synced. Seven system calls and two syncs. The file is readable by no more users than the
/// directory is.
///
/// # Errors
/// The first failing step's error; the temporary file is gone then and `path` is untouched.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, bytes)?;
    File::open(parent(path))?.sync_all()
}

/// Does what [`write()`] does, but leaves a file that is there already as it is. Of several writers, on
/// any hosts, exactly one is the first.
///
/// # Errors
/// As [`write()`].
pub fn write_first(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Some file systems have no links. Two writers of the same moment may both come through there, each with
    // a whole file.
    link(path, bytes, |temporary, file| rename(file, temporary, path))
}

/// Does what [`write_first()`] does, and lets exactly one writer come through also where files cannot be linked.
/// There, a reader of the same moment may find less than the whole file.
///
/// # Errors
/// As [`write()`].
pub fn claim(path: &Path, bytes: &[u8]) -> io::Result<()> {
    link(path, bytes, |_, _| match create_synced(path, bytes) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    })
}

/// Writes a temporary file and links it to `path`, unless that is there; `otherwise` does it where there are
/// no links.
fn link(
    path: &Path,
    bytes: &[u8],
    otherwise: impl FnOnce(&Path, &File) -> io::Result<()>,
) -> io::Result<()> {
    let temporary = temporary_beside(path);
    let written =
        create_synced(&temporary, bytes).and_then(|file| match fs::hard_link(&temporary, path) {
            // The file server says so; this host may still take the name for a missing one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(_) if !path.exists() => otherwise(&temporary, &file),
            // It is there, or was there first.
            _ => Ok(()),
        });
    // Its content is under the other name, or not needed.
    let _ = fs::remove_file(&temporary);
    written
}

/// Does what [`write()`] does, without syncing the directory: after a crash of the file server the
/// file may be absent, but never partial.
///
/// # Errors
/// As [`write()`].
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_beside(path);
    let written = create_synced(&temporary, bytes).and_then(|file| rename(&file, &temporary, path));
    if written.is_err() {
        // Best effort: the first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// Renames a file that is open as `file`.
///
/// # Errors
/// As [`fs::rename()`], unless the file has its new name.
pub fn rename(file: &File, from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_at(file, to) => Ok(()),
        renamed => renamed,
    }
}

/// Returns whether an open file has this name.
fn is_at(file: &File, path: &Path) -> bool {
    let identity = |file: &File| file.metadata().map(|known| (known.dev(), known.ino()));
    let there = File::open(path).and_then(|there| identity(&there));
    there.is_ok_and(|there| identity(file).is_ok_and(|file| file == there))
}

fn create_synced(path: &Path, bytes: &[u8]) -> io::Result<File> {
    // `create_new` does not follow a link that somebody put there.
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode_beside(path)?);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(file)
}

/// Opens the file at `path` to append to it. One that is not there is created, readable by no more users than
/// its directory is; the directory is only looked at then.
///
/// # Errors
/// If it cannot be opened or created.
pub fn append_to(path: &Path) -> io::Result<File> {
    match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // It may have appeared meanwhile, which is as good.
            OpenOptions::new().append(true).create(true).mode(mode_beside(path)?).open(path)
        }
        opened => opened,
    }
}

/// Creates the directory `path` and its missing parents, each usable by no more users than its own parent.
///
/// # Errors
/// If one of them cannot be created.
pub fn create_dirs(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent(path);
    create_dirs(parent)?;
    let mode = fs::metadata(parent)?.permissions().mode() & 0o777;
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        created => created,
    }
}

/// Returns the permission bits of a file at `path` that no more users can read than its directory; the umask may
/// remove some of them.
///
/// # Errors
/// If the directory does not exist.
pub fn mode_beside(path: &Path) -> io::Result<u32> {
    Ok(fs::metadata(parent(path))?.permissions().mode() & 0o666)
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Returns an unused name beside `path`. A process id would not do: ids are reused, and containers that share a
/// file system do not share them.
pub fn temporary_beside(path: &Path) -> PathBuf {
    // The standard library's only source of random bits.
    let random = RandomState::new().build_hasher().finish();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.{random:016x}.tmp", std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("taken");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("inside"), b"x").unwrap();
        assert!(write(&target, b"bytes").is_err());
        let names: Vec<_> =
            fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["taken"]);
    }

    #[test]
    fn of_several_writers_the_first_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_first(&path, b"first").unwrap();
        write_first(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn created_files_are_readable_by_no_more_users_than_their_directory() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o710)).unwrap();
        let below = dir.path().join("a/b");
        create_dirs(&below).unwrap();
        create_dirs(&below).unwrap();
        assert_eq!((mode(&dir.path().join("a")), mode(&below)), (0o710, 0o710));
        let file = below.join("file");
        for byte in [b"x", b"y"] {
            append_to(&file).unwrap().write_all(byte).unwrap();
        }
        assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"xy".to_vec(), 0o600));
        assert!(append_to(&below.join("nowhere/file")).is_err());
        assert!(create_dirs(&file.join("c")).is_err());
    }

    #[test]
    fn a_write_replaces_the_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, b"a longer first content").unwrap();
        write(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
    }
}
