//! The server: a directory of this machine. Its clients name files by handles, as with NFS. A handle stands for
//! a file, not for a path. The handle is stale once the file has no name, even if a process has the file open.

mod content;
mod names;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use rustix::fs::{CWD, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use super::attributes::{Attributes, Change};
use super::policy::{Realm, Realms};
pub(super) use content::Wanted;
pub(super) use names::{New, Owner};

/// An answer of the server, which its clients return too.
pub(super) type Answer<T> = Result<T, Errno>;

/// The handle of the top directory.
pub(super) const ROOT: u64 = 1;

#[derive(Debug)]
pub(crate) struct Server {
    files: Mutex<Files>,
    realms: Realms,
    /// Serialises changes of names, so that a client gets the attributes of a directory directly before its
    /// change.
    changes: Mutex<()>,
}

#[derive(Debug, Default)]
struct Files {
    by_handle: HashMap<u64, Arc<Inode>>,
    by_number: HashMap<(u64, u64), u64>,
}

/// A file for which a client has a handle.
#[derive(Debug)]
pub(super) struct Inode {
    id: u64,
    /// Keeps the file open, so that no other file gets its inode number. `None` if the handle is stale.
    place: Mutex<Option<Arc<OwnedFd>>>,
    count: AtomicU64,
    realm: Arc<Realm>,
}

impl Inode {
    fn place(&self) -> Answer<Arc<OwnedFd>> {
        self.place.lock().unwrap().clone().ok_or(Errno::STALE)
    }

    /// Returns a path that leads to the file, whatever its name is.
    fn path(&self) -> Answer<PathBuf> {
        Ok(PathBuf::from(format!("/proc/self/fd/{}", self.place()?.as_raw_fd())))
    }

    fn attributes(&self) -> Answer<Attributes> {
        let stat = fstat(&*self.place()?)?;
        if stat.st_nlink == 0 {
            return Err(Errno::STALE);
        }
        Ok(Attributes::new(self.id, &stat, self.count.load(Ordering::SeqCst)))
    }

    fn has_changed(&self) {
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

/// The attributes of a directory before and after a change by the client that gets this, or of a file before
/// and after a write.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub(super) before: Change,
    pub(super) after: Attributes,
}

impl Server {
    /// Serves a directory.
    pub(crate) fn new(dir: &Path, realms: Realms) -> std::io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let place = openat(CWD, dir, flags, Mode::empty())?;
        let server = Self { files: Mutex::default(), realms, changes: Mutex::new(()) };
        let stat = fstat(&place)?;
        let mut files = server.files();
        files.add(ROOT, place, &stat, server.realms.of(OsStr::new("")));
        drop(files);
        Ok(server)
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap()
    }

    fn inode(&self, id: u64) -> Answer<Arc<Inode>> {
        self.files().by_handle.get(&id).cloned().ok_or(Errno::STALE)
    }

    pub(super) fn realm(&self, id: u64) -> Answer<Arc<Realm>> {
        Ok(Arc::clone(&self.inode(id)?.realm))
    }

    /// Returns the file of a request, after the delay of the request.
    fn reach(&self, id: u64) -> Answer<Arc<Inode>> {
        let inode = self.inode(id)?;
        inode.realm.travel();
        Ok(inode)
    }

    pub(super) fn attributes(&self, id: u64) -> Answer<Attributes> {
        self.reach(id)?.attributes()
    }

    /// Returns the attributes of a file, which gets a handle if it has none.
    fn introduce(&self, place: OwnedFd, dir: &Inode, name: &OsStr) -> Answer<Attributes> {
        let stat = fstat(&place)?;
        let mut files = self.files();
        let inode = match files.by_number.get(&(stat.st_dev, stat.st_ino)) {
            Some(id) => Arc::clone(&files.by_handle[id]),
            None => {
                let realm =
                    if dir.id == ROOT { self.realms.of(name) } else { Arc::clone(&dir.realm) };
                let id = files.by_handle.len() as u64 + ROOT;
                files.add(id, place, &stat, realm)
            }
        };
        drop(files);
        inode.attributes()
    }

    /// Closes files that have no name.
    pub(super) fn sweep(&self) {
        let mut files = self.files();
        let Files { by_handle, by_number } = &mut *files;
        by_number.retain(|_, id| {
            let inode = &by_handle[id];
            let gone = inode.attributes().is_err();
            if gone {
                *inode.place.lock().unwrap() = None;
            }
            !gone
        });
    }
}

impl Files {
    fn add(&mut self, id: u64, place: OwnedFd, stat: &Stat, realm: Arc<Realm>) -> Arc<Inode> {
        let place = Mutex::new(Some(Arc::new(place)));
        let inode = Arc::new(Inode { id, place, count: AtomicU64::new(0), realm });
        self.by_handle.insert(id, Arc::clone(&inode));
        self.by_number.insert((stat.st_dev, stat.st_ino), id);
        inode
    }
}
