//! How a server and its clients behave, for each directory at the top of the file system: a round of its own there
//! does not notice the outages of others.

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
    /// How long a client trusts what it knows of a file (`acregmin`, `acregmax`).
    pub(crate) files_ms: u64,
    /// How long it trusts what it knows of a directory, and with it the names in it (`acdirmin`, `acdirmax`).
    pub(crate) names_ms: u64,
    /// How long written bytes may stay with a client if the file is not closed or synced.
    pub(crate) flush_ms: u64,
    pub(crate) locks: Locks,
    /// How long each request to the server takes.
    pub(crate) delay_ms: u64,
    /// The server does not answer before this time, in milliseconds since the epoch.
    pub(crate) away_until: u64,
    /// The first change of names since then is carried out, but its answer is lost, and so is the server's memory of it:
    /// it is carried out once more.
    pub(crate) forgetful: bool,
}

/// What a file lock ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Locks {
    /// `ENOLCK`: NFS without its lock daemon.
    #[default]
    NotGranted,
    /// `ENOSYS`: Lustre that was mounted without `flock`.
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
    /// The text of the settings, and what it says.
    read: Mutex<(Vec<u8>, Arc<Policy>)>,
    /// The outage in which a request was carried out twice.
    repeated: AtomicU64,
}

impl Realm {
    /// Returns the settings as they are now: the file with them may be written anew at any time.
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

    /// The time that a request takes on its way, which is long while the server is away.
    pub(crate) fn travel(&self) {
        std::thread::sleep(Duration::from_millis(self.policy().delay_ms));
        while self.policy().away_until > ledger::now() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the request that now comes is the one whose answer is lost. Each outage has one.
    pub(crate) fn loses_answer(&self) -> bool {
        let policy = self.policy();
        policy.forgetful
            && self.repeated.swap(policy.away_until, Ordering::SeqCst) != policy.away_until
    }
}

/// All settings.
#[derive(Debug)]
pub(crate) struct Realms {
    /// The directory with a file of settings for each name at the top.
    control: PathBuf,
    known: Mutex<HashMap<OsString, Arc<Realm>>>,
}

impl Realms {
    pub(crate) fn new(control: PathBuf) -> Self {
        Self { control, known: Mutex::default() }
    }

    /// Returns the one of a name at the top.
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
