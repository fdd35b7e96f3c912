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
        /// Whether it is one of several processes, which all write into the diary of their node.
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

    /// Joins the diaries of the nodes of a job into one: run after run, and within a run by the clocks of the nodes.
    pub fn join(diaries: impl IntoIterator<Item = Vec<Self>>) -> Vec<Self> {
        let mut all = Vec::new();
        for diary in diaries {
            let mut run = 0;
            all.extend(diary.into_iter().map(|event| {
                run = event.event.run().unwrap_or(run);
                (run, event)
            }));
        }
        all.sort_by_key(|(run, event)| (*run, event.at));
        all.into_iter().map(|(_, event)| event).collect()
    }

    /// Returns message and place of the panic of the last run, if it has had one, from all events of a job.
    pub fn last_panic(events: Vec<Self>) -> Option<(String, Option<String>)> {
        let (mut panic, mut run) = (None, None);
        for event in events {
            match event.event {
                EventKind::Panicked { message, location } => panic = Some((message, location)),
                // Another process of the same run.
                EventKind::Started { is_one_of_several: true, restart_count, .. }
                    if run == Some(restart_count) => {}
                EventKind::Started { restart_count, .. } => {
                    (panic, run) = (None, Some(restart_count))
                }
                EventKind::Requeued { .. } => panic = None,
                EventKind::Finished { .. } => {}
            }
        }
        panic
    }
}

impl EventKind {
    /// Returns the restart count of the run that the event is about, if the event has it.
    pub fn run(&self) -> Option<u32> {
        match self {
            Self::Started { restart_count, .. } | Self::Requeued { restart_count, .. } => {
                Some(*restart_count)
            }
            Self::Panicked { .. } | Self::Finished { .. } => None,
        }
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

    fn started(at: u64, restart_count: u32, pid: u32) -> Event {
        let (job_id, stdout, stderr) = (None, None, None);
        let (host, is_one_of_several) = (String::new(), true);
        let event = EventKind::Started {
            job_id,
            restart_count,
            host,
            pid,
            is_one_of_several,
            stdout,
            stderr,
        };
        Event { at, event }
    }

    fn panicked(at: u64, message: &str) -> Event {
        Event { at, event: EventKind::Panicked { message: message.to_owned(), location: None } }
    }

    #[test]
    fn the_diaries_of_nodes_are_joined_run_by_run() {
        // The clock of the second node is slow.
        let diaries = [
            vec![started(100, 0, 1), started(101, 0, 2), started(200, 1, 3)],
            vec![started(40, 0, 11), panicked(41, "first"), started(120, 1, 13)],
        ];
        let joined = Event::join(diaries);
        let pids = joined.iter().map(|event| match event.event {
            EventKind::Started { pid, .. } => pid,
            _ => 0,
        });
        assert_eq!(pids.collect::<Vec<_>>(), [11, 0, 1, 2, 13, 3]);
        assert_eq!(Event::last_panic(joined), None, "the last run has not panicked");
    }

    #[test]
    fn a_panic_counts_whatever_other_processes_note_of_the_same_run() {
        let last = |events: Vec<Event>| Event::last_panic(events).map(|(message, _)| message);
        assert_eq!(last(vec![panicked(1, "x"), started(2, 0, 1)]), None, "of an earlier run");
        let events = vec![started(1, 0, 1), panicked(2, "x"), started(3, 0, 2)];
        assert_eq!(last(events).as_deref(), Some("x"));
    }
}
