//! Requests about names.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType as Kind, Mode, OFlags, openat};
use rustix::io::Errno;

use super::content::own;
use super::{Answer, Changed, Inode, Server};
use crate::shared_fs::attributes::Attributes;

/// A user and a group.
pub(in crate::shared_fs) type Owner = (u32, u32);

/// The kinds of new names.
#[derive(Clone, Copy, Debug)]
pub(in crate::shared_fs) enum New<'a> {
    /// A file. It may exist already, unless `only_new` is set.
    File {
        mode: u32,
        only_new: bool,
    },
    Directory {
        mode: u32,
    },
    Link(&'a Path),
    /// Another name of this file.
    Name(u64),
}

impl Server {
    pub(in crate::shared_fs) fn look_up(&self, dir: u64, name: &OsStr) -> Answer<Attributes> {
        let dir = self.reach(dir)?;
        self.find(&dir, name)
    }

    fn find(&self, dir: &Inode, name: &OsStr) -> Answer<Attributes> {
        dir.attributes()?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let place = openat(&*dir.place()?, name, flags, Mode::empty())?;
        self.introduce(place, dir, name)
    }

    pub(in crate::shared_fs) fn list(&self, dir: u64) -> Answer<Vec<(OsString, Kind)>> {
        let inode = self.reach(dir)?;
        inode.attributes()?;
        let mut list = Vec::new();
        let place = openat(
            CWD,
            inode.path()?,
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        for entry in Dir::new(place)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                list.push((name, entry.file_type()));
            }
        }
        Ok(list)
    }

    pub(in crate::shared_fs) fn target(&self, id: u64) -> Answer<OsString> {
        let inode = self.reach(id)?;
        let target = rustix::fs::readlinkat(&*inode.place()?, "", Vec::new())?;
        Ok(OsString::from_vec(target.into_bytes()))
    }

    /// Creates a name in a directory.
    pub(in crate::shared_fs) fn make(
        &self,
        dir: u64,
        name: &OsStr,
        new: New<'_>,
        owner: Owner,
    ) -> Answer<(Attributes, Changed)> {
        // An exclusive creation has a token by which the server recognises a repeated request.
        let twice = !matches!(new, New::File { .. });
        self.once_or_twice(dir, twice, |dir| {
            let changed = self.changing(dir, || self.make_here(dir, name, new, owner))?;
            if let New::Name(id) = new {
                self.inode(id)?.has_changed();
            }
            Ok((self.find(dir, name)?, changed))
        })
    }

    fn make_here(&self, dir: &Inode, name: &OsStr, new: New<'_>, owner: Owner) -> Answer<()> {
        let place = dir.place()?;
        match new {
            New::File { mode, only_new } => {
                let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
                match openat(&*place, name, flags, Mode::from_raw_mode(mode & 0o7777)) {
                    Ok(file) => own(&file, Some(owner.0), Some(owner.1)),
                    Err(Errno::EXIST) if !only_new => Ok(()),
                    Err(error) => Err(error),
                }
            }
            New::Directory { mode } => {
                rustix::fs::mkdirat(&*place, name, Mode::from_raw_mode(mode & 0o7777))?;
                give(dir, name, owner)
            }
            New::Link(target) => {
                rustix::fs::symlinkat(target, &*place, name)?;
                give(dir, name, owner)
            }
            New::Name(id) => {
                let old = self.inode(id)?.path()?;
                rustix::fs::linkat(CWD, old, &*place, name, AtFlags::SYMLINK_FOLLOW)
            }
        }
    }

    pub(in crate::shared_fs) fn remove(
        &self,
        dir: u64,
        name: &OsStr,
        is_dir: bool,
    ) -> Answer<Changed> {
        let flags = if is_dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        self.once_or_twice(dir, true, |dir| {
            let file = self.find(dir, name).and_then(|found| self.inode(found.id));
            self.changing(dir, || rustix::fs::unlinkat(&*dir.place()?, name, flags))
                .inspect(|_| file.into_iter().for_each(|file| file.has_changed()))
        })
    }

    pub(in crate::shared_fs) fn rename(
        &self,
        from: (u64, &OsStr),
        to: (u64, &OsStr),
    ) -> Answer<(Changed, Changed)> {
        let target = self.inode(to.0)?;
        self.once_or_twice(from.0, true, |source| {
            let moved = self.find(source, from.1).and_then(|found| self.inode(found.id));
            let mut other = None;
            let first = self.changing(source, || {
                let before = target.attributes()?.change;
                let (old, new) = (source.place()?, target.place()?);
                rustix::fs::renameat(&*old, from.1, &*new, to.1)?;
                target.has_changed();
                other = Some(before);
                Ok(())
            })?;
            moved.into_iter().for_each(|moved| moved.has_changed());
            let before = other.ok_or(Errno::IO)?;
            Ok((first, Changed { before, after: target.attributes()? }))
        })
    }

    /// Carries out a change. Returns the attributes of the directory before and after it.
    fn changing(&self, dir: &Inode, change: impl FnOnce() -> Answer<()>) -> Answer<Changed> {
        let _one_at_a_time = self.changes.lock().unwrap();
        let before = dir.attributes()?.change;
        change()?;
        dir.has_changed();
        Ok(Changed { before, after: dir.attributes()? })
    }

    /// Carries out a request, and before it once more if the first answer is lost in an outage.
    fn once_or_twice<T>(
        &self,
        dir: u64,
        twice: bool,
        request: impl Fn(&Inode) -> Answer<T>,
    ) -> Answer<T> {
        let dir = self.inode(dir)?;
        if twice && dir.realm.loses_answer() {
            let _ = request(&dir);
        }
        dir.realm.travel();
        request(&dir)
    }
}

fn give(dir: &Inode, name: &OsStr, owner: Owner) -> Answer<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&*dir.place()?, name, flags, Mode::empty())?;
    own(&file, Some(owner.0), Some(owner.1))
}
