//! Directories below a job base directory, opened one by one.
//!
//! Others may be able to write where the base lies, or in it. So the base has to be the user's own, and every
//! directory on the way down is opened from the one above it, never through a symbolic link, and has to be
//! the user's own too. What is then done, is done in the opened directory, wherever its name leads meanwhile.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat, renameat};
use rustix::io::Errno;

use crate::error::HostError;
use crate::files::{Content, NewDir, NewFile};

/// An open directory.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens a job base directory, and creates it if it is not there.
    ///
    /// # Errors
    /// If it belongs to another user, or everybody may write to it.
    pub fn base(path: &Path) -> Result<Self, HostError> {
        fs::create_dir_all(path).map_err(|error| HostError::file("create", path, error))?;
        // Up to here links are the user's own choice: `~/slurm_jobs` may well be one.
        let fd = rustix::fs::open(path, DIRECTORY, Mode::empty());
        let fd = fd.map_err(|error| HostError::file("use", path, error.into()))?;
        let folder = Self { fd, path: path.to_owned() };
        folder.if_ours()
    }

    /// Opens the directory `name` in this one, and creates it if it is not there: with exactly `mode`, or no
    /// wider than this one.
    pub fn enter(&self, name: &str, mode: Option<u32>) -> Result<Self, HostError> {
        let widest = self.metadata()?.permissions().mode() & 0o777;
        match self.make(name, mode, widest) {
            Err(HostError::File { source, .. })
                if source.kind() == io::ErrorKind::AlreadyExists =>
            {
                self.open(name)?.if_ours()
            }
            other => other,
        }
    }

    /// Creates the directory `name` in this one, with exactly `mode` if one is given.
    ///
    /// # Errors
    /// Also if there is anything of that name.
    pub(crate) fn create(&self, name: &str, mode: Option<u32>) -> Result<Self, HostError> {
        self.make(name, mode, 0o777)
    }

    fn make(&self, name: &str, mode: Option<u32>, widest: u32) -> Result<Self, HostError> {
        let path = self.path.join(name);
        let failed = |error: Errno| HostError::file("create", &path, error.into());
        let first = mode.map_or(Mode::from_raw_mode(widest), |_| Mode::RWXU);
        mkdirat(&self.fd, name, first).map_err(failed)?;
        self.open(name)?.with_mode(mode)
    }

    fn with_mode(self, mode: Option<u32>) -> Result<Self, HostError> {
        if let Some(mode) = mode {
            rustix::fs::fchmod(&self.fd, Mode::from_raw_mode(mode))
                .map_err(|error| HostError::file("create", &self.path, error.into()))?;
        }
        Ok(self)
    }

    /// Creates a file in this directory, readable and writable by no more users than the directory is.
    pub(crate) fn write_new(&self, file: &NewFile<'_>) -> io::Result<()> {
        let of_dir = self.as_file()?.metadata()?.permissions().mode();
        let widest = of_dir & 0o666;
        let (bytes, mode) = match file.content {
            Content::Bytes(bytes) => (bytes, file.mode.unwrap_or(widest)),
            Content::Dir => {
                return Ok(mkdirat(&self.fd, file.name, Mode::from_raw_mode(of_dir & 0o777))?);
            }
            Content::Spooled(spooled) => return self.take_over(spooled, file, widest),
        };
        let mut handle = File::from(openat(&self.fd, file.name, NEW, Mode::from_raw_mode(mode))?);
        if let Some(mode) = file.mode {
            handle.set_permissions(Permissions::from_mode(mode))?;
        }
        handle.write_all(bytes)?;
        if file.synced { handle.sync_all() } else { Ok(()) }
    }

    /// Moves a file that is written already into this directory.
    fn take_over(&self, spooled: &Path, file: &NewFile<'_>, widest: u32) -> io::Result<()> {
        let handle = File::open(spooled)?;
        let mode = handle.metadata()?.permissions().mode() & widest;
        handle.set_permissions(Permissions::from_mode(file.mode.unwrap_or(mode)))?;
        if file.synced {
            handle.sync_all()?;
        }
        match renameat(CWD, spooled, &self.fd, file.name) {
            Err(Errno::XDEV) => self.copy(handle, spooled, file),
            // The answer of a file server can be lost, and the repetition is then refused.
            Err(Errno::NOENT) if self.has(file.name, &handle) => Ok(()),
            renamed => Ok(renamed?),
        }
    }

    /// Returns whether a name stands for an open file.
    fn has(&self, name: &str, file: &File) -> bool {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let identity = |file: &File| file.metadata().map(|known| (known.dev(), known.ino())).ok();
        openat(&self.fd, name, flags, Mode::empty())
            .is_ok_and(|there| identity(&File::from(there)) == identity(file))
    }

    /// Copies a file that is written already into this directory, which is on another file system.
    fn copy(&self, mut from: File, spooled: &Path, file: &NewFile<'_>) -> io::Result<()> {
        let mode = from.metadata()?.permissions();
        let mut to = File::from(openat(&self.fd, file.name, NEW, Mode::RUSR | Mode::WUSR)?);
        io::copy(&mut from, &mut to)?;
        to.set_permissions(mode)?;
        if file.synced {
            to.sync_all()?;
        }
        // It lies in a folder of temporary files, and its content is in its place.
        let _ = fs::remove_file(spooled);
        Ok(())
    }

    /// Makes what was created in this directory last.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.as_file()?.sync_all()
    }

    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Refuses a directory that others than its owner may look into.
    pub fn for_its_owner_alone(self) -> Result<Self, HostError> {
        let open = self.metadata()?.permissions().mode() & 0o077 != 0;
        if open { Err(self.unsafe_because("others than its owner may use it")) } else { Ok(self) }
    }

    fn open(&self, name: &str) -> Result<Self, HostError> {
        let path = self.path.join(name);
        match openat(&self.fd, name, DIRECTORY | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path }),
            // With O_DIRECTORY, Linux says of a link that it is no directory.
            Err(Errno::LOOP | Errno::NOTDIR) if is_link(&path) => {
                Err(HostError::Unsafe { path, host: None, reason: "it is a symbolic link" })
            }
            Err(error) => Err(HostError::file("use", &path, error.into())),
        }
    }

    fn if_ours(self) -> Result<Self, HostError> {
        let metadata = self.metadata()?;
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            Err(self.unsafe_because("it belongs to another user"))
        } else if metadata.permissions().mode() & 0o002 != 0 {
            Err(self.unsafe_because("everybody may write to it"))
        } else {
            Ok(self)
        }
    }

    fn metadata(&self) -> Result<fs::Metadata, HostError> {
        let metadata = self.as_file().and_then(|file| file.metadata());
        metadata.map_err(|error| HostError::file("use", &self.path, error))
    }

    fn as_file(&self) -> io::Result<File> {
        Ok(File::from(self.fd.as_fd().try_clone_to_owned()?))
    }

    fn unsafe_because(&self, reason: &'static str) -> HostError {
        HostError::Unsafe { path: self.path.clone(), host: None, reason }
    }
}

const NEW: OFlags = OFlags::WRONLY
    .union(OFlags::CREATE)
    .union(OFlags::EXCL)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

fn is_link(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
}

/// Creates a directory with files in it below its base; on an error nothing of it is left.
pub(crate) fn create_with(dir: &NewDir<'_>, files: &[NewFile<'_>]) -> Result<(), HostError> {
    let mut parent = Folder::base(dir.base)?;
    let mut way: Vec<&str> = dir.below.iter().filter_map(|part| part.to_str()).collect();
    let Some(name) = way.pop() else { return Ok(()) };
    for part in way {
        parent = parent.enter(part, None)?;
    }
    // Not `enter`: a directory that exists already is somebody else's submission, or was made by a request whose answer
    // was lost. Whoever creates the first file in it knows that it is his.
    let (folder, mut is_ours) = match parent.create(name, dir.mode) {
        Err(HostError::File { source, .. })
            if source.kind() == io::ErrorKind::AlreadyExists && can_be_claimed(files) =>
        {
            (parent.open(name)?.if_ours()?.with_mode(dir.mode)?, false)
        }
        created => (created?, true),
    };
    for file in files {
        let written = match folder.write_new(file) {
            // So was this one.
            Err(error)
                if is_ours
                    && matches!(file.content, Content::Dir)
                    && error.kind() == io::ErrorKind::AlreadyExists =>
            {
                Ok(())
            }
            written => written,
        };
        if let Err(error) = written {
            if is_ours {
                let _ = fs::remove_dir_all(&folder.path);
            }
            return Err(HostError::file("write", &folder.path.join(file.name), error));
        }
        is_ours = true;
    }
    if files.iter().any(|file| file.synced) {
        folder.sync().map_err(|error| HostError::file("write", &folder.path, error))?;
    }
    Ok(())
}

/// Whether the first of the files is created as one that must not be there.
fn can_be_claimed(files: &[NewFile<'_>]) -> bool {
    files.first().is_some_and(|file| matches!(file.content, Content::Bytes(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(mode: Option<u32>) -> NewFile<'static> {
        NewFile { name: "spec", content: Content::Bytes(b"x"), mode, synced: true }
    }

    fn create(base: &Path, below: &str, mode: Option<u32>) -> Result<(), HostError> {
        create_with(&NewDir { base, below: Path::new(below), mode }, &[file(None)])
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_link_in_the_place_of_a_directory_is_refused() {
        let base = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), base.path().join("train")).unwrap();
        let error = create(base.path(), "train/one", None).unwrap_err();
        assert!(error.to_string().contains("train: it is a symbolic link"), "{error}");
        assert!(error.hint().is_some());
        fs::create_dir(base.path().join("fit")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), base.path().join("fit/one")).unwrap();
        assert!(create(base.path(), "fit/one", None).is_err());
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0, "nothing was written there");
    }

    #[test]
    fn a_directory_belongs_to_who_creates_the_first_file_in_it() {
        let base = tempfile::tempdir().unwrap();
        // The request was carried out, and its answer was lost.
        fs::create_dir_all(base.path().join("train/one")).unwrap();
        create(base.path(), "train/one", Some(0o700)).unwrap();
        assert_eq!(mode(&base.path().join("train/one")), 0o700);
        create(base.path(), "train/one", None).unwrap_err();
        assert_eq!(fs::read(base.path().join("train/one/spec")).unwrap(), b"x");
    }

    #[test]
    fn a_spooled_file_is_taken_over_from_another_file_system() {
        // Shared memory is a file system of its own.
        let spool = tempfile::tempdir_in("/dev/shm").unwrap();
        let base = tempfile::tempdir().unwrap();
        let device = |path: &Path| fs::metadata(path).unwrap().dev();
        assert_ne!(device(spool.path()), device(base.path()));
        let spooled = spool.path().join("items");
        fs::write(&spooled, "all items").unwrap();
        let content = Content::Spooled(&spooled);
        let items = NewFile { name: "items", content, mode: Some(0o600), synced: true };
        let new = NewDir { base: base.path(), below: Path::new("train/one"), mode: None };
        create_with(&new, &[items]).unwrap();
        let path = base.path().join("train/one/items");
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"all items".to_vec(), 0o600));
        assert!(!spooled.exists());
    }

    #[test]
    fn a_base_that_all_users_can_write_to_is_refused() {
        let base = tempfile::tempdir().unwrap();
        for open in [0o777, 0o1777, 0o702] {
            fs::set_permissions(base.path(), Permissions::from_mode(open)).unwrap();
            let error = create(base.path(), "train/one", None).unwrap_err();
            assert!(error.to_string().contains("everybody may write to it"), "{error}");
            assert!(error.hint().unwrap().contains("mkdir"), "{error}");
        }
        fs::set_permissions(base.path(), Permissions::from_mode(0o775)).unwrap();
        create(base.path(), "train/one", None).unwrap();
    }

    #[test]
    fn what_lies_in_a_directory_is_no_wider_than_it() {
        let base = tempfile::tempdir().unwrap();
        create(base.path(), "train/tight", Some(0o700)).unwrap();
        let dir = base.path().join("train/tight");
        assert_eq!((mode(&dir), mode(&dir.join("spec")) & 0o077), (0o700, 0));
        slurm_core::durable::write(&dir.join("result"), b"r").unwrap();
        assert_eq!(mode(&dir.join("result")) & 0o077, 0);
        create(base.path(), "train/group", Some(0o2750)).unwrap();
        assert_eq!(mode(&base.path().join("train/group/spec")) & 0o027, 0);
    }
}
