//! What a workflow has submitted: a JSON object a line, appended and synced as things happen.
//!
//! A call is known by its task, its arguments and its number among calls with both the same. Before a
//! submission stands an *intent*, with the submission's id; after it, the job's id. So whenever the
//! workflow dies, its next run knows of every job that may exist.

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
        /// Seconds since the Unix epoch, by a clock that may be wrong.
        at: u64,
    },
    /// It was made.
    Submitted {
        submission_id: SubmissionId,
        job_ids: Vec<JobId>,
        /// The Slurm cluster that has them, if it is not the host's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cluster: Option<String>,
    },
    /// Refused: no job exists, and the sequence number is free for the next call.
    Refused { submission_id: SubmissionId },
    /// A workflow that resumes this one has looked which jobs to drop.
    Resumed { by: SubmissionId },
    /// The job ended without a value before a resumed workflow came to it, and does not count any more.
    Dropped { submission_id: SubmissionId },
}

/// The journal of a workflow, open at its end.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: File,
    /// What ends without a line break was cut.
    torn: bool,
    known: Known,
}

/// What the journal tells.
#[derive(Debug, Default)]
struct Known {
    /// By their numbers, of which a damaged line may have any.
    calls: HashMap<Key, BTreeMap<usize, Call>>,
    resumed_by: Vec<SubmissionId>,
    places: HashMap<SubmissionId, (Key, usize)>,
}

#[derive(Debug, Default)]
struct Call {
    /// Made in this run, or on its way.
    is_made: bool,
    child: Option<Child>,
    shape: String,
}

impl Journal {
    /// Opens the journal of the workflow in `dir`, which is made if there is none.
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
                // So that a crash of the file server cannot take the whole file back.
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

    /// Gives a call its place, with the job that an earlier run made of it.
    pub(super) fn claim(&self, key: &Key, shape: &Shape) -> Claim {
        self.lock().known.claim(key, shape)
    }

    /// Gives the place back: the call came to nothing.
    pub(super) fn release(&self, claim: &Claim) {
        if let Some(call) = self.lock().known.call(&claim.key, claim.number) {
            call.is_made = false;
        }
    }

    /// Notes that the call is about to be submitted as `submission_id`.
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

    /// Notes what became of an intent.
    pub(super) fn append(&self, entry: &Entry) -> Result<()> {
        let mut state = self.lock();
        let written = state.append(entry);
        written.map_err(|source| Error::from(HostError::file("write", &self.path, source)))?;
        state.known.apply(entry);
        Ok(())
    }

    /// Notes what became of an intent, if that is possible: by the intent alone the next run finds the job,
    /// if there is one.
    pub(super) fn note(&self, entry: &Entry) {
        if let Err(error) = self.append(entry) {
            log::warn!("the workflow's journal lacks a line: {error}");
        }
    }

    /// Returns whether the submission `by` has looked which jobs to drop.
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
        // There are fewer calls than numbers.
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

    /// Returns the job of a call of `task` with this shape that has not been made in this run.
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
                // Another one may have taken its place.
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

/// Returns the jobs that a journal's entries tell of, with their tasks; not those that were refused.
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

/// Reads a journal. A line that was cut is passed over: what it would have told had not happened yet, or
/// is found by the line before it.
pub(crate) fn entries(text: &[u8]) -> Vec<Entry> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Reads a journal, and makes the calls that it tells of once more; for the fuzz targets.
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
