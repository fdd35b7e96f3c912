//! A client of the server, with the default caches of an NFS client:
//!
//! - attributes are trusted for a time, which is longer for directories than for files;
//! - names, including missing ones, are trusted as long as their directory seems unchanged;
//! - opening a file or a directory asks the server for attributes, and empties its cache if it has changed;
//! - an open file is read from the cache as long as its attributes are trusted;
//! - written bytes go to the server when the file is closed or synced, or after a time;
//! - a file that this client removes while it is open is renamed (`.nfs…`) until it is closed.

mod content;
mod names;

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use fuser::FileAttr;
use rustix::fs::FileType as Kind;
use rustix::io::Errno;

use super::attributes::{Attributes, Change};
use super::policy::Policy;
use super::server::{Answer, Changed, ROOT, Server, Wanted};

/// A clock. In tests it stands still until it is put forward.
#[derive(Debug)]
pub(crate) struct Clock {
    start: Option<Instant>,
    ahead: AtomicU64,
}

impl Clock {
    pub(crate) fn real() -> Self {
        Self { start: Some(Instant::now()), ahead: AtomicU64::new(0) }
    }

    #[cfg(test)]
    pub(crate) fn standing() -> Self {
        Self { start: None, ahead: AtomicU64::new(0) }
    }

    #[cfg(test)]
    pub(crate) fn put_forward(&self, by: Duration) {
        self.ahead.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    fn now(&self) -> Duration {
        let real = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        real + Duration::from_millis(self.ahead.load(Ordering::SeqCst))
    }
}

#[derive(Debug)]
pub(crate) struct Client {
    server: Arc<Server>,
    clock: Arc<Clock>,
    nodes: Mutex<HashMap<u64, Arc<Node>>>,
    /// The lists of directories that are being read.
    lists: Mutex<HashMap<u64, Arc<List>>>,
    next: AtomicU64,
}

type List = Vec<(OsString, Kind)>;

/// The client's knowledge of a file.
#[derive(Debug)]
struct Node {
    id: u64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    attributes: Option<Attributes>,
    asked: Duration,
    /// Whether the server no longer knows the file.
    stale: bool,
    /// For a directory: the names that were looked up, each with the id of its file, if there is one.
    names: HashMap<OsString, Option<u64>>,
    list: Option<Arc<List>>,
    /// For a file: the pages that were read.
    pages: HashMap<u64, Vec<u8>>,
    unsent: Option<Unsent>,
    /// The error of bytes that were sent late.
    failed: Option<Errno>,
    open: usize,
    /// The name under which a removed file still exists.
    hidden: Option<(u64, OsString)>,
}

/// Written bytes that were not sent yet.
#[derive(Debug)]
struct Unsent {
    offset: u64,
    bytes: Vec<u8>,
    since: Duration,
}

impl Unsent {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }
}

impl Known {
    /// Stores new attributes from the server.
    fn learn(&mut self, new: Attributes, now: Duration) {
        if self.attributes.as_ref().is_none_or(|old| old.change != new.change) {
            self.forget_content();
        }
        self.attributes = Some(new);
        self.asked = now;
    }

    /// Stores the attributes after a change by this client. Other cached content stays if no other client
    /// changed the file in between.
    fn learn_own(&mut self, changed: Changed, now: Duration) {
        if self.change() != Some(changed.before) {
            self.forget_content();
        }
        self.list = None;
        self.attributes = Some(changed.after);
        self.asked = now;
    }

    fn forget_content(&mut self) {
        self.names.clear();
        self.list = None;
        self.pages.clear();
    }

    fn change(&self) -> Option<Change> {
        self.attributes.as_ref().map(|attributes| attributes.change)
    }

    fn size(&self) -> u64 {
        let sent = self.attributes.as_ref().map_or(0, |attributes| attributes.stat.size);
        self.unsent.as_ref().map_or(sent, |unsent| sent.max(unsent.end()))
    }

    /// Returns the attributes as this client sees them.
    fn stat(&self) -> Answer<FileAttr> {
        let mut stat = self.attributes.as_ref().ok_or(Errno::STALE)?.stat;
        stat.size = self.size();
        Ok(stat)
    }
}

impl Client {
    pub(crate) fn new(server: Arc<Server>, clock: Arc<Clock>) -> Self {
        let nodes = Mutex::default();
        Self { server, clock, nodes, lists: Mutex::default(), next: AtomicU64::new(1) }
    }

    fn node(&self, id: u64) -> Arc<Node> {
        let mut nodes = self.nodes.lock().unwrap();
        let new = || Arc::new(Node { id, known: Mutex::default() });
        Arc::clone(nodes.entry(id).or_insert_with(new))
    }

    fn policy(&self, id: u64) -> Answer<Arc<Policy>> {
        Ok(self.server.realm(id)?.policy())
    }

    /// Makes sure that this client trusts the cached attributes. Always asks the server if it `must`.
    fn refresh(&self, node: &Node, known: &mut Known, must: bool) -> Answer<()> {
        if known.stale {
            return Err(Errno::STALE);
        }
        if let (Some(attributes), false) = (&known.attributes, must) {
            let policy = self.policy(node.id)?;
            let trust = if attributes.is_dir() { policy.names_ms } else { policy.files_ms };
            if self.clock.now() - known.asked < Duration::from_millis(trust) {
                return Ok(());
            }
        }
        match self.server.attributes(node.id) {
            Ok(attributes) => {
                known.learn(attributes, self.clock.now());
                Ok(())
            }
            Err(error) => {
                // The top directory exists again as soon as the server answers.
                known.stale = error == Errno::STALE && node.id != ROOT;
                known.attributes = None;
                known.forget_content();
                Err(error)
            }
        }
    }

    /// Returns the attributes of a file that the kernel knows.
    pub(super) fn stat(&self, id: u64) -> Answer<FileAttr> {
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        // A client sends unsent bytes before it returns attributes to its own processes.
        let _ = self.send(&node, &mut known);
        self.refresh(&node, &mut known, false)?;
        known.stat()
    }

    pub(super) fn set(&self, id: u64, wanted: &Wanted) -> Answer<FileAttr> {
        let node = self.node(id);
        let mut known = node.known.lock().unwrap();
        let _ = self.send(&node, &mut known);
        let attributes = self.server.change(id, wanted)?;
        if wanted.size.is_some() {
            known.pages.clear();
        }
        known.learn(attributes, self.clock.now());
        known.stat()
    }

    /// Stores the attributes of a file that came with another answer.
    fn meet(&self, attributes: Attributes) -> Answer<FileAttr> {
        let node = self.node(attributes.id);
        let mut known = node.known.lock().unwrap();
        known.learn(attributes, self.clock.now());
        known.stat()
    }

    fn all(&self) -> Vec<Arc<Node>> {
        self.nodes.lock().unwrap().values().cloned().collect()
    }

    /// Sends bytes that have waited for long.
    pub(super) fn tidy(&self) {
        for node in self.all() {
            // The next call sends the bytes of a busy file.
            let Ok(mut known) = node.known.try_lock() else { continue };
            let Some(since) = known.unsent.as_ref().map(|unsent| unsent.since) else { continue };
            let Ok(policy) = self.policy(node.id) else { continue };
            if self.clock.now() - since >= Duration::from_millis(policy.flush_ms) {
                let _ = self.send(&node, &mut known);
            }
        }
    }

    fn lists(&self) -> MutexGuard<'_, HashMap<u64, Arc<List>>> {
        self.lists.lock().unwrap()
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::SeqCst)
    }
}
