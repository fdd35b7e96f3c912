//! The diary of a job: the notes of the runner, one JSON object a line.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::durable;
use crate::ids::JobId;

/// A line of the diary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since the Unix epoch, by the clock of the node.
    pub at: u64,
    /// The event.
    pub event: EventKind,
}

/// The events of a diary.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The runner is about to call the task.
    Started {
        /// The job, as the node knows it.
        job_id: Option<JobId>,
        /// How often it was restarted before.
        restart_count: u32,
        /// The host name of the node.
        host: String,
        /// The process id of the runner.
        pid: u32,
        /// Whether it is one of several processes, which all write into this diary.
        is_one_of_several: bool,
        /// The file that standard output goes to.
        stdout: Option<PathBuf>,
        /// The file that standard error goes to.
        stderr: Option<PathBuf>,
    },
    /// The run asks to be run again.
    Requeued {
        /// The job, as the node knows it.
        job_id: Option<JobId>,
        /// How often it had been restarted before.
        restart_count: u32,
        /// Why.
        reason: String,
    },
    /// The task has panicked. The outcome follows after the stack is resolved.
    Panicked {
        /// The message.
        message: String,
        /// Where, as `file:line:column`.
        location: Option<String>,
    },
    /// The outcome is written.
    Finished {
        /// The exit code of the process.
        exit_code: u8,
    },
}

impl Event {
    /// Returns `event` as of now.
    pub fn now(event: EventKind) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { at: u64::try_from(since.as_micros()).unwrap_or(u64::MAX), event }
    }

    /// Appends this event to the diary at `path` by one write. The diary is readable by no more
    /// users than its directory.
    ///
    /// # Errors
    /// If the file cannot be opened or written.
    pub fn append_to(&self, path: &Path) -> io::Result<()> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        durable::append_to(path)?.write_all(&line)
    }

    /// Reads a diary. Lines that are cut or of an unknown kind are skipped; an event that follows on a line that a
    /// full disk has cut is read.
    pub fn read_all(text: &str) -> Vec<Self> {
        let read = |line: &str| {
            let whole = serde_json::from_str(line).ok();
            let last = || line.rfind("{\"at\":").and_then(|at| line.get(at..));
            whole.or_else(|| serde_json::from_str(last()?).ok())
        };
        text.lines().filter_map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_line_leaves_the_other_lines_readable() {
        let event = Event::now(EventKind::Finished { exit_code: 3 });
        let line = serde_json::to_string(&event).unwrap();
        for cut in 0..line.len() {
            let diary = format!("{}{line}\n{line}\n", &line[..cut]);
            assert_eq!(Event::read_all(&diary), [event.clone(), event.clone()], "cut at {cut}");
        }
    }
}
