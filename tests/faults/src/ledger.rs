//! The begins and ends of calls. The calls themselves write them to a directory that no fault changes.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A line of a call's ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Line {
    /// Milliseconds since the epoch.
    pub(crate) at: u64,
    pub(crate) pid: u32,
    pub(crate) rank: usize,
    /// The job of the line, and the number of its run.
    pub(crate) job: u32,
    pub(crate) restart: u32,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    Began,
    /// The call returns its value.
    Returned,
    /// The call returns an error, panics or ends its process, as planned.
    Failed,
    /// The call asks for another run.
    Requeued,
}

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Appends a whole line to a file, and a byte to the progress of the round.
pub(crate) fn append(round: &Path, file: &Path, line: &impl Serialize) {
    let mut text = serde_json::to_string(line).expect("the line is plain data");
    text.push('\n');
    let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
    let result = open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    result.unwrap_or_else(|error| panic!("cannot write the ledger {}: {error}", file.display()));
    let _ = open(&round.join("progress")).and_then(|mut file| file.write_all(b"."));
}

/// Returns the whole lines of a file, or none if the file does not exist.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Vec<T> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Returns the number of steps that the round has made.
pub(crate) fn steps(round: &Path) -> u64 {
    fs::metadata(round.join("progress")).map_or(0, |metadata| metadata.len())
}
