//! Files and directories that are read from a host or created there.

use std::path::{Path, PathBuf};

/// Something to look at.
#[derive(Clone, Debug)]
pub enum Look {
    /// The content of a file from `offset` on.
    File {
        /// The file.
        path: PathBuf,
        /// How many bytes are left out.
        offset: u64,
    },
    /// The names in a directory.
    Dir {
        /// The directory.
        path: PathBuf,
    },
}

#[cfg(feature = "ssh")]
impl Look {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::File { path, .. } | Self::Dir { path } => path,
        }
    }
}

/// What was found there.
#[derive(Clone, Debug)]
pub enum Found {
    /// It does not exist.
    Nothing,
    /// The content of the file.
    Bytes(Vec<u8>),
    /// The file is there, and better read alone.
    Large,
    /// The names in the directory, in any order; those that are not UTF-8 are left out.
    Names(Vec<String>),
}

impl Found {
    /// Returns the content, if a file was found.
    pub fn into_bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// A directory to be created.
#[derive(Clone, Copy, Debug)]
pub struct NewDir<'a> {
    /// The job base directory.
    pub base: &'a Path,
    /// The directory's path below it.
    pub below: &'a Path,
    /// The permission bits, or what the umask leaves.
    pub mode: Option<u32>,
}

/// What a directory gets.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// Its name in the directory.
    pub name: &'a str,
    /// What it holds.
    pub content: Content<'a>,
    /// The exact permission bits. `None`: the default of the host, by its umask and the directory.
    pub mode: Option<u32>,
    /// Whether the job reads it, so that it has to be on the disk before the job exists.
    pub synced: bool,
}

/// The content of a [`NewFile`].
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// These bytes.
    Bytes(&'a [u8]),
    /// Contents moved from a local file (consumed), for data too large for memory. The file lies in the
    /// directory that [`Host::spool_dir`](crate::Host::spool_dir) returned.
    Spooled(&'a Path),
    /// No content: a directory.
    Dir,
}
