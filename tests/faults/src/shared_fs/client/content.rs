//! Open files.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use rustix::fs::StatVfs;
use rustix::io::Errno;

use super::{Client, Known, Node, Unsent};
use crate::shared_fs::policy::Locks;
use crate::shared_fs::server::Answer;

const PAGE: u64 = 4096;

/// Larger files are not cached.
const CACHED: u64 = 4 << 20;

/// More unsent bytes than this are sent at once.
const SENT_AT_ONCE: usize = 1 << 20;

impl Client {
    /// Opens a file. This always asks the server.
    pub(in crate::shared_fs) fn open(&self, id: u64) -> Answer<()> {
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        self.refresh(&node, &mut known, true)?;
        known.open += 1;
        Ok(())
    }

    /// Opens a file that this client has just created.
    pub(in crate::shared_fs) fn open_new(&self, id: u64) {
        self.node(id).known.lock().unwrap().open += 1;
    }

    pub(in crate::shared_fs) fn read(&self, id: u64, offset: u64, len: u32) -> Answer<Vec<u8>> {
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        self.refresh(&node, &mut known, false)?;
        if known.unsent.is_some() {
            self.send(&node, &mut known)?;
        }
        let end = known.size().min(offset + u64::from(len));
        if offset >= end {
            return Ok(Vec::new());
        }
        if known.size() > CACHED {
            return self.server.read(id, offset, (end - offset) as usize);
        }
        let mut bytes = Vec::with_capacity((end - offset) as usize);
        while offset + (bytes.len() as u64) < end {
            let place = offset + bytes.len() as u64;
            let page = self.page(&node, &mut known, place / PAGE)?;
            let from = (place % PAGE) as usize;
            let until = page.len().min((end - place / PAGE * PAGE) as usize);
            if from >= until {
                break;
            }
            bytes.extend_from_slice(&page[from..until]);
        }
        Ok(bytes)
    }

    fn page<'a>(&self, node: &Node, known: &'a mut Known, number: u64) -> Answer<&'a [u8]> {
        Ok(match known.pages.entry(number) {
            Entry::Occupied(page) => page.into_mut(),
            Entry::Vacant(empty) => {
                empty.insert(self.server.read(node.id, number * PAGE, PAGE as usize)?)
            }
        })
    }

    /// Stores bytes that are to be written. `append` writes them after the end of the file on the server.
    pub(in crate::shared_fs) fn write(
        &self,
        id: u64,
        offset: u64,
        bytes: &[u8],
        append: bool,
    ) -> Answer<u32> {
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        self.refresh(&node, &mut known, append)?;
        let offset = if append { known.size() } else { offset };
        if known.unsent.as_ref().is_some_and(|unsent| unsent.end() != offset) {
            self.send(&node, &mut known)?;
        }
        let now = self.clock.now();
        let new = || Unsent { offset, bytes: Vec::new(), since: now };
        let unsent = known.unsent.get_or_insert_with(new);
        unsent.bytes.extend_from_slice(bytes);
        if unsent.bytes.len() > SENT_AT_ONCE {
            self.send(&node, &mut known)?;
        }
        u32::try_from(bytes.len()).map_err(|_| Errno::FBIG)
    }

    /// Sends the unsent bytes to the server.
    pub(super) fn send(&self, node: &Node, known: &mut Known) -> Answer<()> {
        let Some(unsent) = known.unsent.take() else { return Ok(()) };
        match self.server.write(node.id, unsent.offset, &unsent.bytes) {
            Ok(changed) => {
                let pages = unsent.offset / PAGE..=unsent.end() / PAGE;
                known.pages.retain(|number, _| !pages.contains(number));
                known.learn_own(changed, self.clock.now());
                Ok(())
            }
            Err(error) => {
                known.stale |= error == Errno::STALE;
                known.failed = Some(error);
                Err(error)
            }
        }
    }

    /// Sends the unsent bytes of a file that is closed or synced. Also returns the error of bytes that were
    /// sent earlier.
    pub(in crate::shared_fs) fn sync(&self, id: u64) -> Answer<()> {
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        let _ = self.send(&node, &mut known);
        known.failed.take().map_or(Ok(()), Err)
    }

    pub(in crate::shared_fs) fn close(&self, id: u64) {
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        known.open = known.open.saturating_sub(1);
        if known.open > 0 {
            return;
        }
        let Some((dir, name)) = known.hidden.take() else { return };
        drop(known);
        if let Ok(changed) = self.server.remove(dir, &name, false) {
            let node = self.node(dir);
            let mut known = node.known.lock().unwrap();
            known.learn_own(changed, self.clock.now());
            known.names.remove(&name);
        }
    }

    pub(in crate::shared_fs) fn open_dir(&self, id: u64) -> Answer<u64> {
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        self.refresh(&node, &mut known, true)?;
        Ok(self.number())
    }

    /// Returns the entries of an open directory. The `first` call of a handle reads them again.
    pub(in crate::shared_fs) fn list(
        &self,
        id: u64,
        handle: u64,
        first: bool,
    ) -> Answer<Arc<super::List>> {
        if let (Some(list), false) = (self.lists().get(&handle), first) {
            return Ok(Arc::clone(list));
        }
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        self.refresh(&node, &mut known, false)?;
        let list = match &known.list {
            Some(list) => Arc::clone(list),
            None => Arc::clone(known.list.insert(Arc::new(self.server.list(id)?))),
        };
        self.lists().insert(handle, Arc::clone(&list));
        Ok(list)
    }

    pub(in crate::shared_fs) fn close_dir(&self, handle: u64) {
        self.lists().remove(&handle);
    }

    /// Returns the error of a lock on the file.
    pub(in crate::shared_fs) fn lock_error(&self, id: u64) -> Errno {
        match self.policy(id).map(|policy| policy.locks) {
            Ok(Locks::NotGranted) => Errno::NOLCK,
            Ok(Locks::Unknown) => Errno::NOSYS,
            Ok(Locks::Refused) => Errno::OPNOTSUPP,
            Err(error) => error,
        }
    }

    pub(in crate::shared_fs) fn room(&self, id: u64) -> Answer<StatVfs> {
        self.server.room(id)
    }
}
