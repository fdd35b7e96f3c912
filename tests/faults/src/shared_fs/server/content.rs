//! Requests about the content and the attributes of files.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::time::SystemTime;

use rustix::fs::{AtFlags, CWD, Gid, StatVfs, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use super::{Answer, Changed, Server};
use crate::shared_fs::attributes::Attributes;

/// The changes that a client requests.
#[derive(Clone, Debug, Default)]
pub(in crate::shared_fs) struct Wanted {
    pub(in crate::shared_fs) mode: Option<u32>,
    pub(in crate::shared_fs) owner: (Option<u32>, Option<u32>),
    pub(in crate::shared_fs) size: Option<u64>,
    pub(in crate::shared_fs) times: (Option<SystemTime>, Option<SystemTime>),
}

impl Server {
    pub(in crate::shared_fs) fn read(&self, id: u64, offset: u64, len: usize) -> Answer<Vec<u8>> {
        let inode = self.reach(id)?;
        inode.attributes()?;
        let file = fs::File::open(inode.path()?).map_err(errno)?;
        let mut bytes = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match file.read_at(&mut bytes[filled..], offset + filled as u64).map_err(errno)? {
                0 => break,
                more => filled += more,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Returns the attributes of the file before and after the write.
    pub(in crate::shared_fs) fn write(
        &self,
        id: u64,
        offset: u64,
        bytes: &[u8],
    ) -> Answer<Changed> {
        let inode = self.reach(id)?;
        let before = inode.attributes()?.change;
        let file = OpenOptions::new().write(true).open(inode.path()?).map_err(errno)?;
        file.write_all_at(bytes, offset).map_err(errno)?;
        inode.has_changed();
        Ok(Changed { before, after: inode.attributes()? })
    }

    pub(in crate::shared_fs) fn change(&self, id: u64, wanted: &Wanted) -> Answer<Attributes> {
        let inode = self.reach(id)?;
        inode.attributes()?;
        let path = inode.path()?;
        if let Some(size) = wanted.size {
            let file = OpenOptions::new().write(true).open(&path).map_err(errno)?;
            file.set_len(size).map_err(errno)?;
        }
        if let (user, group) = wanted.owner
            && (user, group) != (None, None)
        {
            own(&*inode.place()?, user, group)?;
        }
        if let Some(mode) = wanted.mode {
            fs::set_permissions(&path, Permissions::from_mode(mode & 0o7777)).map_err(errno)?;
        }
        if wanted.times != (None, None) {
            let times = Timestamps {
                last_access: timespec(wanted.times.0),
                last_modification: timespec(wanted.times.1),
            };
            rustix::fs::utimensat(CWD, &path, &times, AtFlags::empty())?;
        }
        inode.has_changed();
        inode.attributes()
    }

    pub(in crate::shared_fs) fn room(&self, id: u64) -> Answer<StatVfs> {
        rustix::fs::fstatvfs(&*self.reach(id)?.place()?)
    }
}

/// Sets the owner of a file, because the server itself runs as root.
pub(super) fn own(place: &OwnedFd, user: Option<u32>, group: Option<u32>) -> Answer<()> {
    let user = user.map(Uid::from_raw);
    let group = group.map(Gid::from_raw);
    rustix::fs::chownat(place.as_fd(), "", user, group, AtFlags::EMPTY_PATH)
}

fn timespec(time: Option<SystemTime>) -> Timespec {
    let Some(time) = time else { return Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT } };
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timespec {
        tv_sec: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: since.subsec_nanos().into(),
    }
}

pub(super) fn errno(error: io::Error) -> Errno {
    Errno::from_io_error(&error).unwrap_or(Errno::IO)
}
