//! The notes through which all processes learn of the attempts of an array.
//!
//! The attempt `n` has the file `retry-{n}.json` in the array's directory. A process that retries items
//! *claims* the next attempt by creating its file, which only one process can do. It adds the ids after the
//! submission. A claim that stays without a job for too long is passed over, because its process has died.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slurm_core::backoff::Backoff;
use slurm_core::layout::JobDir;
use slurm_core::spec::{self, Shares, Upstream, Work};
use slurm_host::{Found, Host, Look};

use super::retry::damaged;
use super::{JobArray, reference};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::model::{ArrayHandle, Edge};

/// The content of an attempt's file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Has no parts until it is submitted.
    #[serde(flatten)]
    handle: ArrayHandle,
    /// Whether its submission was refused.
    #[serde(default)]
    withdrawn: bool,
}

impl Note {
    pub(super) fn new(handle: ArrayHandle) -> Self {
        Self { handle, withdrawn: false }
    }

    pub(super) fn withdrawn(handle: ArrayHandle) -> Self {
        Self { handle, withdrawn: true }
    }

    /// Writes the note if the file does not exist, and returns whether the file holds this note.
    pub(super) fn claim(&self, host: &dyn Host, path: &Path) -> Result<bool> {
        let json = self.json()?;
        Ok(host.write_first(path, &json)? == json)
    }

    /// Replaces the claim by this note. A failure is only logged, because others find the submission through
    /// the claim too.
    pub(super) fn replace(&self, host: &dyn Host, path: &Path) {
        let written = self.json().and_then(|json| Ok(host.write(path, &json)?));
        if let Err(error) = written {
            log::warn!(
                "the outcome of the new attempt could not be noted in {}: {error}",
                path.display()
            );
        }
    }

    fn json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|error| Error::not_json("the note of an attempt", &error))
    }
}

/// What the notes say about attempts that were not known.
#[derive(Debug)]
pub(crate) struct Noted {
    /// The attempts that were submitted, in their order.
    pub(crate) submitted: Vec<ArrayHandle>,
    /// The directory of the latest attempt, if it is claimed but not submitted.
    pub(super) claimed: Option<PathBuf>,
    /// The number of the first attempt without a claim.
    pub(super) next: usize,
}

impl Cluster {
    /// Returns the attempts of the array in `dir` whose directory is not `known`.
    pub(crate) fn attempts_of(&self, dir: &JobDir, known: &[PathBuf]) -> Result<Noted> {
        self.attempts_but(dir, known, None)
    }

    /// Does what [`attempts_of`](Self::attempts_of) does. For the attempt in `dead`, whose client has died, a
    /// part of its Slurm arrays suffices.
    fn attempts_but(&self, dir: &JobDir, known: &[PathBuf], dead: Option<&Path>) -> Result<Noted> {
        let notes = self.notes(dir, known.len())?;
        let mut noted = Noted { submitted: Vec::new(), claimed: None, next: notes.len() + 1 };
        for (number, note) in (1..).zip(notes) {
            // Where files cannot be linked, a file may exist before its content does.
            let Some(Note { handle, withdrawn }) = note else {
                noted.claimed = Some(dir.retry(number));
                continue;
            };
            noted.claimed = None;
            if withdrawn || known.contains(&handle.dir) {
                continue;
            }
            let is_dead = dead == Some(handle.dir.as_path());
            match self.submission_of(handle, is_dead)? {
                Ok(submitted) => noted.submitted.push(submitted),
                Err(dir) => noted.claimed = Some(dir),
            }
        }
        Ok(noted)
    }

    /// Returns the handle of a noted attempt with its ids, or its directory if it was not submitted. Unless its
    /// client `is_dead`, it counts as submitted only with all of its Slurm arrays.
    fn submission_of(
        &self,
        noted: ArrayHandle,
        is_dead: bool,
    ) -> Result<Result<ArrayHandle, PathBuf>> {
        if !noted.parts.is_empty() {
            return noted.checked().map(Ok);
        }
        // Its client is about to submit it, or died before it could note the ids.
        let dir = JobDir::at(&noted.dir);
        let Some(explanation) = self.json(&dir.job_json())? else { return Ok(Err(noted.dir)) };
        match self.handle_of_array(&dir, &explanation) {
            Err(Error::NoSuchJob { .. }) => Ok(Err(noted.dir)),
            Ok(found) if !is_dead && !found.is_whole() => Ok(Err(noted.dir)),
            other => other.map(Ok),
        }
    }

    /// Reads all notes of the array in `dir`. `expected` is a guess of their number.
    fn notes(&self, dir: &JobDir, expected: usize) -> Result<Vec<Option<Note>>> {
        let mut notes = Vec::new();
        loop {
            let first = notes.len() + 1;
            let paths: Vec<PathBuf> =
                (first..=expected.max(first)).map(|number| dir.retry(number)).collect();
            let look = |path: &PathBuf| Look::File { path: path.clone(), offset: 0 };
            let looks: Vec<Look> = paths.iter().map(look).collect();
            for (path, found) in paths.iter().zip(self.backend().host().look(&looks, u64::MAX)?) {
                let Found::Bytes(bytes) = found? else { return Ok(notes) };
                let note = (!bytes.is_empty()).then(|| serde_json::from_slice(&bytes));
                notes.push(note.transpose().map_err(|error| damaged(path, &error.to_string()))?);
            }
        }
    }

    /// Adds the later attempts to the array's state, and returns what else the notes say.
    pub(super) fn follow<V>(&self, array: &JobArray<V>) -> Result<Noted> {
        self.follow_but(array, None)
    }

    /// Adds the attempt in `dead`, whose client has died, as far as it was submitted. Returns whether any of it
    /// was.
    pub(super) fn join<V>(&self, array: &JobArray<V>, dead: &Path) -> Result<bool> {
        let noted = self.follow_but(array, Some(dead))?;
        Ok(noted.submitted.iter().any(|handle| handle.dir == dead))
    }

    fn follow_but<V>(&self, array: &JobArray<V>, dead: Option<&Path>) -> Result<Noted> {
        if array.is_empty() {
            return Ok(Noted { submitted: Vec::new(), claimed: None, next: 1 });
        }
        let known = array.watch.state().dirs();
        let noted = self.attempts_but(&JobDir::at(&array.handle.dir), &known, dead)?;
        for handle in &noted.submitted {
            let Some(shares) = self.shares_of(handle)? else { break };
            let mut state = array.watch.state();
            if state.dirs().contains(&handle.dir) {
                continue;
            }
            // The items of this attempt have failed in the attempts before.
            state.leave(shares.selected.as_deref().unwrap_or_default());
            state.begin(handle.attempt(shares.selected));
        }
        Ok(noted)
    }

    /// Adds the attempts that are newer than those in `upstream`, and returns the edges to them, because they
    /// may still run.
    pub(super) fn catch_up(&self, upstream: &mut Upstream) -> Result<Vec<Edge>> {
        let Some(first) = upstream.attempts.first() else { return Ok(Vec::new()) };
        let known: Vec<PathBuf> =
            upstream.attempts.iter().map(|attempt| attempt.dir.clone()).collect();
        let mut edges = Vec::new();
        for handle in self.attempts_of(&JobDir::at(&first.dir), &known)?.submitted {
            let Some(shares) = self.shares_of(&handle)? else { break };
            let parts = handle.parts.iter().map(|part| (part.job_id, part.elements)).collect();
            let attempt = spec::Attempt { dir: handle.dir, shares, parts };
            edges.extend(reference::whole(upstream, &attempt, &self.backend().place()));
            upstream.attempts.push(attempt);
        }
        Ok(edges)
    }

    /// Returns the items of an attempt.
    fn shares_of(&self, attempt: &ArrayHandle) -> Result<Option<Shares>> {
        let array = JobArray::<()>::new(self, attempt.clone(), |_| Ok(()), None);
        let Work::Items(items) = array.spec()?.work else { return Ok(None) };
        Ok(Some(items.shares))
    }
}

/// The claim of another process, while this one waits for its submission.
#[derive(Debug, Default)]
pub(super) struct Rival {
    /// The directory of the attempt, and the time since it was first seen.
    claim: Option<(PathBuf, Backoff)>,
}

impl Rival {
    /// Waits a little for the submission of the attempt `claimed`, and returns whether it may still come.
    pub(super) fn wait(&mut self, cluster: &Cluster, claimed: &Path) -> Result<bool> {
        // sbatch itself tries for about two minutes.
        const SBATCH: u32 = 12;
        let fresh = || {
            let pauses = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
            (claimed.to_owned(), pauses)
        };
        if self.claim.as_ref().is_some_and(|(dir, _)| dir != claimed) {
            self.claim = None;
        }
        let (_, backoff) = self.claim.get_or_insert_with(fresh);
        let backend = cluster.backend();
        let is_whole = backend.host().read(&JobDir::at(claimed).script(), 0)?.is_some();
        let limit = backend.cadence().on_the_way * if is_whole { SBATCH } else { 1 };
        if backoff.elapsed() >= limit {
            log::warn!("{} was never submitted and is passed over", claimed.display());
            return Ok(false);
        }
        backoff.pause();
        Ok(true)
    }
}
