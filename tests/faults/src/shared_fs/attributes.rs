//! Attributes of files.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{FileAttr, FileType, INodeNo};
use rustix::fs::{FileType as Kind, Stat};

/// The attributes of a file from the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Attributes {
    pub(super) id: u64,
    pub(super) stat: FileAttr,
    pub(super) change: Change,
}

/// A value that differs after each change of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    modified: (i64, i64),
    changed: (i64, i64),
    size: i64,
    /// A count of the server, because the clock of a file system may be too coarse.
    pub(super) count: u64,
}

impl Attributes {
    pub(super) fn new(id: u64, stat: &Stat, count: u64) -> Self {
        let time = |seconds: i64, nanos: i64| {
            let since = Duration::new(
                u64::try_from(seconds).unwrap_or(0),
                u32::try_from(nanos).unwrap_or(0),
            );
            UNIX_EPOCH + since
        };
        let changed = time(stat.st_ctime, stat.st_ctime_nsec as i64);
        let attr = FileAttr {
            ino: INodeNo(id),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            blocks: u64::try_from(stat.st_blocks).unwrap_or(0),
            atime: time(stat.st_atime, stat.st_atime_nsec as i64),
            mtime: time(stat.st_mtime, stat.st_mtime_nsec as i64),
            ctime: changed,
            crtime: SystemTime::UNIX_EPOCH,
            kind: kind(Kind::from_raw_mode(stat.st_mode)),
            perm: (stat.st_mode & 0o7777) as u16,
            nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
            uid: stat.st_uid,
            gid: stat.st_gid,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        };
        let change = Change {
            modified: (stat.st_mtime, stat.st_mtime_nsec as i64),
            changed: (stat.st_ctime, stat.st_ctime_nsec as i64),
            size: stat.st_size,
            count,
        };
        Self { id, stat: attr, change }
    }

    pub(super) fn is_dir(&self) -> bool {
        self.stat.kind == FileType::Directory
    }
}

pub(super) fn kind(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::Symlink => FileType::Symlink,
        Kind::Fifo => FileType::NamedPipe,
        Kind::Socket => FileType::Socket,
        Kind::CharacterDevice => FileType::CharDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        Kind::RegularFile | Kind::Unknown => FileType::RegularFile,
    }
}
