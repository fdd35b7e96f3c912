//! Who ran, when it began and how it ended, written by the calls themselves to a directory that no fault
//! touches.

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
    /// The job, and the number of its run.
    pub(crate) job: u32,
    pub(crate) restart: u32,
    pub(crate) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    Began,
    /// It returns its value.
    Returned,
    /// It returns an error, panics or ends its process, as planned.
    Failed,
    /// It asks for another run.
    Requeued,
}

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Appends a line to a file, whole or not at all, and a step to the round's progress.
pub(crate) fn append(round: &Path, file: &Path, line: &impl Serialize) {
    let mut text = serde_json::to_string(line).expect("the line is plain data");
    text.push('\n');
    let open = |path: &Path| OpenOptions::new().create(true).append(true).open(path);
    let result = open(file).and_then(|mut file| file.write_all(text.as_bytes()));
    result.unwrap_or_else(|error| panic!("the ledger {} is lost: {error}", file.display()));
    let _ = open(&round.join("progress")).and_then(|mut file| file.write_all(b"."));
}

/// Returns the lines of a file that are whole; none if it is not there.
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Vec<T> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Returns how far a round has come.
pub(crate) fn steps(round: &Path) -> u64 {
    fs::metadata(round.join("progress")).map_or(0, |metadata| metadata.len())
}
