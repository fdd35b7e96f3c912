//! The behaviour of a server and its clients, for each directory at the top of the file system. A round has its
//! own directory there, so outages of other rounds do not affect it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ledger;

/// The settings of a directory at the top.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Policy {
    /// The time for which a client trusts cached attributes of a file (`acregmin`, `acregmax`).
    pub(crate) files_ms: u64,
    /// The time for which a client trusts the cached attributes and names of a directory (`acdirmin`,
    /// `acdirmax`).
    pub(crate) names_ms: u64,
    /// The time after which a client sends written bytes of a file that is neither closed nor synced.
    pub(crate) flush_ms: u64,
    pub(crate) locks: Locks,
    /// The delay of each request to the server.
    pub(crate) delay_ms: u64,
    /// The server does not answer before this time, in milliseconds since the epoch.
    pub(crate) away_until: u64,
    /// The server carries out the first change of names in an outage twice: the first answer is lost, and the
    /// server does not remember it.
    pub(crate) forgetful: bool,
}

/// The errors of file locks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Locks {
    /// `ENOLCK`: NFS without its lock daemon.
    #[default]
    NotGranted,
    /// `ENOSYS`: Lustre, mounted without `flock`.
    Unknown,
    /// `EOPNOTSUPP`
    Refused,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            files_ms: 3000,
            names_ms: 30_000,
            flush_ms: 30_000,
            locks: Locks::default(),
            delay_ms: 0,
            away_until: 0,
            forgetful: false,
        }
    }
}

/// A directory at the top, with its settings.
#[derive(Debug)]
pub(crate) struct Realm {
    file: PathBuf,
    /// The text of the settings, and the parsed settings.
    read: Mutex<(Vec<u8>, Arc<Policy>)>,
    /// The outage in which a request was carried out twice.
    repeated: AtomicU64,
}

impl Realm {
    /// Returns the present settings. Their file may be rewritten at any time.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        let text = fs::read(&self.file).unwrap_or_default();
        let mut read = self.read.lock().unwrap();
        if read.0 != text {
            if let Ok(policy) = serde_json::from_slice(&text) {
                read.1 = Arc::new(policy);
            }
            read.0 = text;
        }
        Arc::clone(&read.1)
    }

    /// Waits for the delay of a request, and until the server is no longer away.
    pub(crate) fn travel(&self) {
        std::thread::sleep(Duration::from_millis(self.policy().delay_ms));
        while self.policy().away_until > ledger::now() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the answer to this request is lost. Each outage loses one answer.
    pub(crate) fn loses_answer(&self) -> bool {
        let policy = self.policy();
        policy.forgetful
            && self.repeated.swap(policy.away_until, Ordering::SeqCst) != policy.away_until
    }
}

/// The settings of all directories at the top.
#[derive(Debug)]
pub(crate) struct Realms {
    /// The directory that has a settings file for each name at the top.
    control: PathBuf,
    known: Mutex<HashMap<OsString, Arc<Realm>>>,
}

impl Realms {
    pub(crate) fn new(control: PathBuf) -> Self {
        Self { control, known: Mutex::default() }
    }

    /// Returns the settings of a name at the top.
    pub(crate) fn of(&self, name: &OsStr) -> Arc<Realm> {
        let mut known = self.known.lock().unwrap();
        let realm = known.entry(name.to_owned()).or_insert_with(|| {
            let file = self.control.join(name).with_extension("json");
            let read = Mutex::default();
            Arc::new(Realm { file, read, repeated: AtomicU64::new(0) })
        });
        Arc::clone(realm)
    }
}
