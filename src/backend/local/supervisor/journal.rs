//! The journal, by which the next supervisor knows the jobs: a line for each event, appended at once.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use slurm_core::durable;
use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::array::End;
use super::identity::Identity;
use super::jobs::Jobs;
use super::replay::{apply, entries};
use super::{line, log};
use crate::backend::Indices;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Gpu;
use crate::backend::local::protocol::JobRequest;

/// A line of the journal. Times are milliseconds since the Unix epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    /// The highest id ever given; its job may be forgotten.
    LastId {
        id: JobId,
    },
    /// The request has no environment here.
    Submitted {
        id: JobId,
        request: Box<JobRequest>,
    },
    /// An array.
    SubmittedArray {
        id: JobId,
        request: Box<JobRequest>,
    },
    /// What it was granted. Written before its processes exist.
    Started {
        id: JobId,
        at: u64,
        /// How often it was requeued before this run.
        restarts: u32,
        /// Which boot of the machine it was started in, if that is known.
        boot: Option<String>,
        /// Nothing for a run of long ago.
        granted: Option<Capacity>,
        gpus: Vec<Gpu>,
    },
    /// One of its processes exists.
    Spawned {
        id: JobId,
        rank: u32,
        process: Identity,
    },
    /// Its warning signal is sent.
    Warned {
        id: JobId,
        at: u64,
    },
    /// It is told to end. Written before the signal is sent.
    Ending {
        id: JobId,
        at: u64,
        state: JobState,
    },
    /// Its run has ended, and it waits for the next one.
    Requeued {
        id: JobId,
        /// How often it was requeued, with this time.
        restarts: u32,
    },
    Ended {
        id: JobId,
        at: u64,
        end: End,
    },
    /// Elements of the array `id` that ended alike: those that never started, or, when the journal is
    /// rewritten, any.
    EndedTogether {
        id: JobId,
        elements: Indices,
        at: u64,
        end: End,
    },
}

/// Jobs that ended longer ago are forgotten.
const KEPT: Duration = Duration::from_secs(7 * 86_400);
/// How much may be appended before the journal is worth rewriting, in bytes.
const GROWTH: u64 = 4 << 20;

/// The journal, open at its end.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// Of the whole lines, in bytes.
    length: u64,
    rewritten_length: u64,
    /// A part of a line follows the whole ones.
    torn: bool,
}

impl Journal {
    /// Opens the journal at `path`, with the jobs that it tells of and the highest id ever given.
    ///
    /// A line that is damaged is left out, for what one disk error or one full disk did to it must
    /// not take all other jobs with it. `others` gets the names of the submissions in the journal, and
    /// returns the submissions whose lines are missing.
    pub(super) fn open(
        path: &Path,
        others: impl FnOnce(&BTreeSet<String>) -> Vec<(JobId, JobRequest)>,
    ) -> io::Result<(Self, Jobs, u32)> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let (mut entries, dropped) = parse(&bytes);
        let names: BTreeSet<String> = entries.iter().filter_map(Entry::submission).collect();
        let others: Vec<Entry> = others(&names).into_iter().map(Entry::of_submission).collect();
        if !others.is_empty() {
            log(&format!("{}: {} submissions are missing in it", path.display(), others.len()));
        }
        entries.splice(0..0, others);
        let (mut jobs, last, refused) = replay(entries);
        let dropped = dropped + refused;
        if dropped > 0 {
            log(&format!("{}: {dropped} lines cannot be read and are dropped", path.display()));
        }
        let (file, length) = rewrite(path, &mut jobs, last)?;
        let path = path.to_owned();
        Ok((Self { path, file, length, rewritten_length: length, torn: false }, jobs, last))
    }

    /// Appends a line by one write.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = if self.torn { vec![b'\n'] } else { Vec::new() };
        line.extend(line::write(entry)?);
        match self.file.write_all(&line) {
            Ok(()) => {
                self.length += line.len() as u64;
                self.torn = false;
                Ok(())
            }
            Err(error) => {
                // What was not acknowledged goes, or at least spoils no later line.
                self.torn = self.file.set_len(self.length).is_err();
                Err(error)
            }
        }
    }

    /// Whether it is worth its while to rewrite the journal.
    pub(super) fn has_grown(&self) -> bool {
        self.length > self.rewritten_length.saturating_add(GROWTH)
    }

    /// Rewrites the journal with what is known of `jobs`, and forgets old ones.
    pub(super) fn compact(&mut self, jobs: &mut Jobs, last: u32) -> io::Result<()> {
        // Also if it fails: not again for every job.
        self.rewritten_length = self.length;
        let (file, length) = rewrite(&self.path, jobs, last)?;
        (self.file, self.length, self.rewritten_length) = (file, length, length);
        self.torn = false;
        Ok(())
    }
}

/// Reads a journal: the jobs, the highest id, and how many lines tell nothing.
pub(super) fn read(bytes: &[u8]) -> (Jobs, u32, usize) {
    let (entries, dropped) = parse(bytes);
    let (jobs, last, refused) = replay(entries);
    (jobs, last, dropped + refused)
}

/// Returns the entries of a journal, and the number of unreadable lines.
fn parse(bytes: &[u8]) -> (Vec<Entry>, usize) {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (entries, bad): (Vec<_>, Vec<_>) =
        lines.map(line::read::<Entry>).partition(Option::is_some);
    (entries.into_iter().flatten().collect(), bad.len())
}

/// Returns the jobs of the entries, the highest id, and the number of contradictory entries.
fn replay(entries: Vec<Entry>) -> (Jobs, u32, usize) {
    let (mut jobs, mut last, mut refused) = (Jobs::default(), 0, 0);
    for entry in entries {
        last = last.max(entry.last_id());
        refused += usize::from(apply(&mut jobs, entry).is_err());
    }
    (jobs, last, refused)
}

fn rewrite(path: &Path, jobs: &mut Jobs, last: u32) -> io::Result<(File, u64)> {
    let lines = lines(jobs, last)?;
    durable::replace(path, &lines)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let file = OpenOptions::new().append(true).mode(0o600).open(path)?;
    Ok((file, lines.len() as u64))
}

/// Forgets old jobs, and returns the lines that tell of the others.
pub(super) fn lines(jobs: &mut Jobs, last: u32) -> io::Result<Vec<u8>> {
    jobs.forget(now().saturating_sub(millis(KEPT)));
    let mut lines = Vec::new();
    let last = JobId::new(last).map(|id| Entry::LastId { id });
    for entry in last.into_iter().chain(entries(jobs)) {
        lines.extend(line::write(&entry)?);
    }
    Ok(lines)
}

impl Entry {
    pub(super) fn of_submission((id, request): (JobId, JobRequest)) -> Self {
        match request.array {
            None => Self::Submitted { id, request: Box::new(request) },
            Some(_) => Self::SubmittedArray { id, request: Box::new(request) },
        }
    }

    /// Returns the name of the submission, if the entry is one.
    fn submission(&self) -> Option<String> {
        match self {
            Self::Submitted { request, .. } | Self::SubmittedArray { request, .. } => {
                Some(request.key().file_name())
            }
            _ => None,
        }
    }

    pub(super) fn id(&self) -> JobId {
        match self {
            Self::LastId { id }
            | Self::Submitted { id, .. }
            | Self::SubmittedArray { id, .. }
            | Self::Started { id, .. }
            | Self::Spawned { id, .. }
            | Self::Warned { id, .. }
            | Self::Ending { id, .. }
            | Self::Requeued { id, .. }
            | Self::Ended { id, .. }
            | Self::EndedTogether { id, .. } => *id,
        }
    }

    /// Returns the highest id that it shows to be given.
    pub(super) fn last_id(&self) -> u32 {
        let more = match self {
            Self::SubmittedArray { request, .. } => {
                request.array.map_or(0, |array| array.size.saturating_sub(1))
            }
            _ => 0,
        };
        self.id().get().saturating_add(more)
    }
}

/// Returns milliseconds since the Unix epoch.
pub(super) fn now() -> u64 {
    stamp(SystemTime::now())
}

pub(super) fn stamp(time: SystemTime) -> u64 {
    millis(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Returns the time that the journal writes as `at`.
pub(super) fn time(at: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(at))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::local::protocol::ArrayRequest;

    fn open(path: &Path) -> (Journal, Jobs, u32) {
        Journal::open(path, |_| Vec::new()).unwrap()
    }

    fn id(number: u32) -> JobId {
        JobId::new(number).unwrap()
    }

    fn submitted(number: u32) -> Entry {
        let request = serde_json::json!({
            "submission_id": slurm_core::ids::SubmissionId::new(1_700_000_000, number), "name": "n", "dir": "/d",
            "script": "/d/script.sh", "working_dir": "/", "stdout": "o", "stderr": "e",
            "append": false, "needs": Capacity { cpus: 1, memory_mib: 1, gpus: 1 }, "memory_is_limited": false, "gpus": [], "tasks": 1,
            "cpus_per_task": 1, "time_limit": null, "warning": null, "dependency": null,
            "within": null, "environment": [["TOKEN", "secret"]],
        });
        Entry::Submitted { id: id(number), request: serde_json::from_value(request).unwrap() }
    }

    fn ended(number: u32, at: u64) -> Entry {
        Entry::Ended { id: id(number), at, end: End::without_run(JobState::Completed, None) }
    }

    #[test]
    fn what_is_rewritten_tells_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, _, _) = open(&path);
        let granted = Capacity { cpus: 3, memory_mib: 2, gpus: 1 };
        let gpu = Gpu { name: "GPU-a".to_owned(), id: "7".to_owned() };
        let process = Identity::of(std::process::id()).unwrap();
        for entry in [
            submitted(1),
            submitted(2),
            Entry::Started {
                id: id(1),
                at: 5,
                restarts: 3,
                boot: None,
                granted: Some(granted),
                gpus: vec![gpu.clone()],
            },
            Entry::Spawned { id: id(1), rank: 0, process },
            Entry::Warned { id: id(1), at: 6 },
            Entry::Ending { id: id(1), at: 6, state: JobState::Cancelled },
        ] {
            journal.append(&entry).unwrap();
        }
        drop(journal);
        for _ in 0..2 {
            let (_, jobs, last) = open(&path);
            let run = jobs.get(id(1)).unwrap().run.as_ref().unwrap();
            assert_eq!((last, run.granted, &run.gpus), (2, granted, &vec![gpu.clone()]));
            assert_eq!(run.processes[0].identity, process);
            assert_eq!(run.ending, Some((JobState::Cancelled, 6)));
            assert_eq!((run.warned_at, jobs.get(id(1)).unwrap().restarts), (time(6), 3));
            assert!(
                jobs.get(id(2)).unwrap().run.is_none()
                    && jobs.get(id(2)).unwrap().request.environment.is_empty()
            );
            assert!(!fs::read_to_string(&path).unwrap().contains("secret"));
        }
    }

    #[test]
    fn the_id_of_a_forgotten_job_is_not_given_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, _, _) = open(&path);
        journal.append(&submitted(3)).unwrap();
        journal.append(&ended(3, 5)).unwrap();
        for _ in 0..2 {
            let (_, jobs, last) = open(&path);
            assert_eq!((jobs.values().count(), last), (0, 3));
        }
    }

    #[test]
    fn an_array_is_forgotten_once_its_last_element_ended_long_ago() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, _, _) = open(&path);
        let Entry::Submitted { mut request, .. } = submitted(3) else { unreachable!() };
        request.array = Some(ArrayRequest { size: 4, first: 0, max_running: None });
        journal.append(&Entry::SubmittedArray { id: id(3), request }).unwrap();
        let end = End::without_run(JobState::Cancelled, None);
        let ended_together = Entry::EndedTogether { id: id(3), elements: vec![(1, 3)], at: 5, end };
        journal.append(&ended_together).unwrap();
        let known = |expected: usize| {
            let (_, jobs, last) = open(&path);
            assert_eq!((jobs.arrays().count(), last), (expected, 6));
        };
        known(1);
        let (mut journal, _, _) = open(&path);
        journal.append(&ended(3, 5)).unwrap();
        known(0);
        known(0);
    }

    #[test]
    fn a_journal_that_has_grown_becomes_small() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, mut jobs, _) = open(&path);
        while !journal.has_grown() {
            journal.append(&submitted(1)).unwrap();
        }
        apply(&mut jobs, submitted(1)).unwrap();
        journal.compact(&mut jobs, 1).unwrap();
        journal.append(&ended(1, now())).unwrap();
        assert!(!journal.has_grown() && fs::metadata(&path).unwrap().len() < 2000);
        assert!(open(&path).1.get(id(1)).unwrap().has_ended());
    }

    #[test]
    fn an_append_that_failed_spoils_no_later_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let (mut journal, _, _) = open(&path);
        journal.append(&submitted(1)).unwrap();
        let file = std::mem::replace(
            &mut journal.file,
            OpenOptions::new().append(true).open("/dev/full").unwrap(),
        );
        assert!(journal.append(&submitted(2)).is_err() && journal.torn);
        journal.file = file;
        journal.file.write_all(b"{\"Submitted\":{").unwrap();
        journal.append(&submitted(3)).unwrap();
        let (_, jobs, _) = open(&path);
        assert_eq!(jobs.values().map(|job| job.id).collect::<Vec<_>>(), [id(1), id(3)]);
    }
}
