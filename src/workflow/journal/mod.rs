//! The journal of a workflow: one JSON object per line, appended and synced before the workflow continues.
//!
//! A call is identified by its task, its arguments, and its number among the calls with the same task and
//! arguments. Before a submission the journal gets an *intent* with the submission's id; afterwards it gets the
//! job's id. So whenever the workflow dies, its next run knows every job that may exist.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use slurm_core::durable;
use slurm_core::ids::{JobId, SubmissionId};

use crate::cluster::{Child, Claim, Key, Shape};
use crate::error::{Error, HostError, Result};

/// The name of the file in the workflow's directory.
pub(crate) const FILE: &str = "journal.jsonl";

/// A line of the journal.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A submission is about to be made.
    Intent {
        key: Key,
        /// The number of the call among those with the same key.
        number: usize,
        submission_id: SubmissionId,
        /// See [`Shape`].
        #[serde(default)]
        shape: String,
        /// Seconds since the Unix epoch; the clock may be wrong.
        at: u64,
    },
    /// The submission was made.
    Submitted {
        submission_id: SubmissionId,
        job_ids: Vec<JobId>,
        /// The Slurm cluster that has them, if it is not the host's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<String>,
    },
    /// Refused: no job exists, and the sequence number is free for the next call.
    Refused { submission_id: SubmissionId },
    /// A workflow that resumes this one has dropped the failed jobs.
    Resumed { by: SubmissionId },
    /// The job ended without a value before a workflow resumed this one, and no longer counts.
    Dropped { submission_id: SubmissionId },
}

/// The journal of a workflow, open for appending.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// Whether the file ends within a line.
    torn: bool,
    known: Known,
}

/// The contents of the journal.
#[derive(Debug, Default)]
struct Known {
    /// Calls by number. A damaged line may hold any number.
    calls: HashMap<Key, BTreeMap<usize, Call>>,
    resumed_by: Vec<SubmissionId>,
    places: HashMap<SubmissionId, (Key, usize)>,
}

#[derive(Debug, Default)]
struct Call {
    /// Whether this run has made the call.
    is_made: bool,
    child: Option<Child>,
    shape: String,
}

impl Journal {
    /// Opens the journal of the workflow in `dir`, and creates it if it does not exist.
    pub(super) fn open(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let opened = (|| {
            durable::create_dirs(dir)?;
            let text = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                other => other?,
            };
            let file = durable::append_to(&path)?;
            if text.is_empty() {
                // Otherwise a crash of the file server could remove the new file.
                File::open(dir)?.sync_all()?;
            }
            let torn = !text.is_empty() && !text.ends_with(b"\n");
            Ok(State { file, torn, known: Known::of(&entries(&text)) })
        })();
        match opened {
            Ok(state) => Ok(Self { path, state: Mutex::new(state) }),
            Err(source) => Err(HostError::file("open", &path, source).into()),
        }
    }

    /// Assigns a number to a call, and returns it with the job that an earlier run submitted for it.
    pub(super) fn claim(&self, key: &Key, shape: &Shape) -> Claim {
        self.lock().known.claim(key, shape)
    }

    /// Frees the number of a call that led to no submission.
    pub(super) fn release(&self, claim: &Claim) {
        if let Some(call) = self.lock().known.call(&claim.key, claim.number) {
            call.is_made = false;
        }
    }

    /// Records that the call is about to be submitted as `submission_id`.
    pub(super) fn intend(&self, claim: &Claim, submission_id: &SubmissionId) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.append(&Entry::Intent {
            key: claim.key.clone(),
            number: claim.number,
            submission_id: submission_id.clone(),
            shape: claim.shape.clone(),
            at: now.as_secs(),
        })
    }

    /// Records the result of an intent.
    pub(super) fn append(&self, entry: &Entry) -> Result<()> {
        let mut state = self.lock();
        let written = state.append(entry);
        written.map_err(|source| Error::from(HostError::file("write", &self.path, source)))?;
        state.known.apply(entry);
        Ok(())
    }

    /// Records the result of an intent. A failure is only logged, because the next run finds the job by the
    /// intent alone.
    pub(super) fn note(&self, entry: &Entry) {
        if let Err(error) = self.append(entry) {
            log::warn!("the workflow's journal lacks a line: {error}");
        }
    }

    /// Returns whether the submission `by` has dropped the failed jobs.
    pub(super) fn is_resumed_by(&self, by: &SubmissionId) -> bool {
        self.lock().known.resumed_by.contains(by)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = if self.torn { vec![b'\n'] } else { Vec::new() };
        serde_json::to_writer(&mut line, entry)?;
        line.push(b'\n');
        self.torn = true;
        self.file.write_all(&line)?;
        self.torn = false;
        self.file.sync_data()
    }
}

impl Known {
    fn of(entries: &[Entry]) -> Self {
        let mut known = Self::default();
        entries.iter().for_each(|entry| known.apply(entry));
        known
    }

    fn claim(&mut self, key: &Key, shape: &Shape) -> Claim {
        let calls = self.calls.entry(key.clone()).or_default();
        let is_made = |number: &usize| calls.get(number).is_some_and(|call| call.is_made);
        // A free number exists, because there are fewer calls than numbers.
        let number = (0..).find(|number| !is_made(number)).unwrap_or_default();
        let call = calls.entry(number).or_default();
        call.is_made = true;
        let (child, shape) = (call.child.clone(), shape.digest());
        let twin = if child.is_none() { self.unclaimed(key.task(), &shape) } else { None };
        Claim { key: key.clone(), number, shape, child, twin }
    }

    fn call(&mut self, key: &Key, number: usize) -> Option<&mut Call> {
        self.calls.get_mut(key)?.get_mut(&number)
    }

    /// Returns the job of a call of `task` with this shape that this run has not made.
    fn unclaimed(&self, task: &str, shape: &str) -> Option<SubmissionId> {
        let of_task = self.calls.iter().filter(|(key, _)| key.task() == task);
        let mut calls = of_task.flat_map(|(_, calls)| calls.values());
        let found = calls.find(|call| !call.is_made && call.child.is_some() && call.shape == shape);
        Some(found?.child.as_ref()?.submission_id.clone())
    }

    fn apply(&mut self, entry: &Entry) {
        match entry {
            Entry::Intent { key, number, submission_id, shape, .. } => {
                let child = child(submission_id);
                let calls = self.calls.entry(key.clone()).or_default();
                let call = calls.entry(*number).or_default();
                call.child = Some(child);
                call.shape.clone_from(shape);
                self.places.insert(submission_id.clone(), (key.clone(), *number));
            }
            Entry::Submitted { submission_id, job_ids, cluster } => {
                if let Some(Some(child)) = self.child(submission_id)
                    && child.submission_id == *submission_id
                {
                    child.job_ids.clone_from(job_ids);
                    child.cluster.clone_from(cluster);
                }
            }
            Entry::Refused { submission_id } | Entry::Dropped { submission_id } => {
                // A newer submission may have the number.
                if let Some(child) = self.child(submission_id)
                    && child.as_ref().is_some_and(|child| child.submission_id == *submission_id)
                {
                    *child = None;
                }
            }
            Entry::Resumed { by } => {
                self.resumed_by.push(by.clone());
                let calls = self.calls.values_mut().flat_map(BTreeMap::values_mut);
                let children = calls.filter_map(|call| call.child.as_mut());
                children.for_each(|child| child.is_inherited = true);
            }
        }
    }

    fn child(&mut self, submission_id: &SubmissionId) -> Option<&mut Option<Child>> {
        let (key, number) = self.places.get(submission_id).cloned()?;
        self.call(&key, number).map(|call| &mut call.child)
    }
}

/// Returns the job of an intent.
fn child(submission_id: &SubmissionId) -> Child {
    let submission_id = submission_id.clone();
    Child { submission_id, job_ids: Vec::new(), cluster: None, is_inherited: false }
}

/// Returns the jobs in a journal's entries, with their tasks, except refused ones.
pub(crate) fn children(entries: &[Entry]) -> Vec<(String, Child)> {
    let mut children: Vec<(String, Child)> = Vec::new();
    for entry in entries {
        let found = |children: &[(String, Child)], of: &SubmissionId| {
            children.iter().position(|(_, child)| child.submission_id == *of)
        };
        match entry {
            Entry::Intent { key, submission_id, .. }
                if found(&children, submission_id).is_none() =>
            {
                let child = child(submission_id);
                children.push((key.task().to_owned(), child));
            }
            Entry::Submitted { submission_id, job_ids, cluster } => {
                if let Some(at) = found(&children, submission_id) {
                    children[at].1.job_ids.clone_from(job_ids);
                    children[at].1.cluster.clone_from(cluster);
                }
            }
            Entry::Refused { submission_id } => {
                children.retain(|(_, child)| child.submission_id != *submission_id)
            }
            Entry::Intent { .. } | Entry::Resumed { .. } | Entry::Dropped { .. } => {}
        }
    }
    children
}

/// Reads a journal. A cut line is skipped: its event had not happened yet, or the line before it leads to the
/// job.
pub(crate) fn entries(text: &[u8]) -> Vec<Entry> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Reads a journal and claims its calls again; for the fuzz targets.
pub(super) fn read_anything(text: &[u8]) {
    let entries = entries(text);
    let mut known = Known::of(&entries);
    for entry in &entries {
        if let Entry::Intent { key, .. } = entry {
            let claim = known.claim(key, &Shape::new());
            assert!(claim.number < entries.len());
            assert!(
                claim.child.is_none_or(|child| known.places.contains_key(&child.submission_id))
            );
        }
    }
    let children = children(&entries);
    assert!(children.len() <= entries.len());
}

#[cfg(test)]
mod tests;
