//! Names in directories.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use fuser::FileAttr;
use rustix::io::Errno;

use super::{Client, Node};
use crate::shared_fs::server::{Answer, Changed, New, Owner};

impl Client {
    pub(in crate::shared_fs) fn look_up(&self, dir: u64, name: &OsStr) -> Answer<FileAttr> {
        if let Some(id) = self.remembered(dir, name)? {
            let node = self.node(id);
            let mut known = node.known.lock().unwrap();
            match self.refresh(&node, &mut known, false) {
                Err(Errno::STALE) => {}
                result => return result.and_then(|()| known.stat()),
            }
        }
        let node = self.node(dir);
        let mut known = node.known.lock().unwrap();
        let found = self.server.look_up(dir, name);
        match &found {
            Ok(attributes) => known.names.insert(name.to_owned(), Some(attributes.id)),
            Err(Errno::NOENT) => known.names.insert(name.to_owned(), None),
            Err(error) => {
                known.stale |= *error == Errno::STALE;
                known.names.remove(name)
            }
        };
        drop(known);
        self.meet(found?)
    }

    /// Returns the file of a cached name that is trusted, or `ENOENT` if the name is cached as missing.
    fn remembered(&self, dir: u64, name: &OsStr) -> Answer<Option<u64>> {
        let node = self.node(dir);
        let mut known = node.known.lock().unwrap();
        self.refresh(&node, &mut known, false)?;
        match known.names.get(name) {
            Some(None) => Err(Errno::NOENT),
            Some(Some(id)) => Ok(Some(*id)),
            None => Ok(None),
        }
    }

    /// Returns the answer to a change of directories. A failure drops their cached attributes.
    fn changing<T>(&self, dirs: &[u64], answer: Answer<T>) -> Answer<T> {
        if answer.is_err() {
            for dir in dirs {
                self.node(*dir).known.lock().unwrap().attributes = None;
            }
        }
        answer
    }

    /// Records a change of a directory by this client: the name now belongs to the file `id`, or to no file.
    fn note(&self, dir: u64, changed: Changed, name: &OsStr, id: Option<u64>) {
        let node = self.node(dir);
        let mut known = node.known.lock().unwrap();
        known.learn_own(changed, self.clock.now());
        known.names.insert(name.to_owned(), id);
    }

    pub(in crate::shared_fs) fn make(
        &self,
        dir: u64,
        name: &OsStr,
        new: New<'_>,
        owner: Owner,
    ) -> Answer<FileAttr> {
        if let New::Name(id) = new {
            self.send_all_of(id);
        }
        let (attributes, changed) =
            self.changing(&[dir], self.server.make(dir, name, new, owner))?;
        self.note(dir, changed, name, Some(attributes.id));
        self.meet(attributes)
    }

    pub(in crate::shared_fs) fn target(&self, id: u64) -> Answer<OsString> {
        self.server.target(id)
    }

    pub(in crate::shared_fs) fn remove(&self, dir: u64, name: &OsStr) -> Answer<()> {
        if let Some(node) = self.open_file(dir, name) {
            return self.hide(&node, dir, name);
        }
        let changed = self.changing(&[dir], self.server.remove(dir, name, false))?;
        self.note(dir, changed, name, None);
        Ok(())
    }

    pub(in crate::shared_fs) fn remove_dir(&self, dir: u64, name: &OsStr) -> Answer<()> {
        let changed = self.changing(&[dir], self.server.remove(dir, name, true))?;
        self.note(dir, changed, name, None);
        Ok(())
    }

    pub(in crate::shared_fs) fn rename(
        &self,
        from: (u64, &OsStr),
        to: (u64, &OsStr),
    ) -> Answer<()> {
        let moved = self.known_file(from.0, from.1);
        if let Some(node) = &moved {
            self.send_all_of(node.id);
        }
        let replaced = self.open_file(to.0, to.1);
        if let Some(node) = replaced
            && moved.as_ref().is_none_or(|moved| moved.id != node.id)
        {
            self.hide(&node, to.0, to.1)?;
        }
        let (first, second) = self.changing(&[from.0, to.0], self.server.rename(from, to))?;
        if from.0 == to.0 {
            self.note(from.0, Changed { before: first.before, ..second }, from.1, None);
        } else {
            self.note(from.0, first, from.1, None);
            self.note(to.0, second, to.1, None);
        }
        let dir = self.node(to.0);
        let mut known = dir.known.lock().unwrap();
        match &moved {
            Some(node) => known.names.insert(to.1.to_owned(), Some(node.id)),
            None => known.names.remove(to.1),
        };
        drop(known);
        // A renamed file has other attributes.
        if let Some(node) = moved {
            node.known.lock().unwrap().attributes = None;
        }
        Ok(())
    }

    fn send_all_of(&self, id: u64) {
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        let _ = self.send(&node, &mut known);
    }

    fn known_file(&self, dir: u64, name: &OsStr) -> Option<Arc<Node>> {
        let id = *self.node(dir).known.lock().unwrap().names.get(name)?;
        Some(self.node(id?))
    }

    /// Returns the file of a name, if a process of this client has it open and it has no other name.
    fn open_file(&self, dir: u64, name: &OsStr) -> Option<Arc<Node>> {
        let node = self.known_file(dir, name)?;
        let known = node.known.lock().unwrap();
        let is_hidden = known.hidden.is_some();
        let is_open = known.open > 0
            && known.attributes.as_ref().is_some_and(|attributes| attributes.stat.nlink == 1);
        drop(known);
        (is_open && !is_hidden).then_some(node)
    }

    /// Renames an open file instead of removing it.
    fn hide(&self, node: &Node, dir: u64, name: &OsStr) -> Answer<()> {
        let hidden = OsString::from(format!(".nfs{:016x}{:08x}", node.id, self.number()));
        let (_, changed) = self.server.rename((dir, name), (dir, &hidden))?;
        self.note(dir, changed, name, None);
        let mut known = node.known.lock().unwrap();
        known.hidden = Some((dir, hidden));
        Ok(())
    }
}
