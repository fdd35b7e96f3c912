//! The notes by which all processes know of the attempts of an array.
//!
//! The attempt `n` has the file `retry-{n}.json` in the array's directory. Who wants to try again *claims* the
//! next one by creating its file, which of several processes only one can; the ids are noted after the
//! submission. A claim that stays without a job for too long is passed over: its process has died.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slurm_core::backoff::Backoff;
use slurm_core::layout::JobDir;
use slurm_core::spec::{self, Shares, Upstream, Work};

use super::retry::damaged;
use super::{JobArray, reference};
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::host::{Found, Host, Look};
use crate::model::{ArrayHandle, Edge};

/// What stands in the file of an attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Note {
    /// Without parts until it is submitted.
    #[serde(flatten)]
    handle: ArrayHandle,
    /// Its submission was refused.
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

    /// Writes the note if there is none, and returns whether it is this one that is there.
    pub(super) fn claim(&self, host: &dyn Host, path: &Path) -> Result<bool> {
        let json = self.json()?;
        Ok(host.write_first(path, &json)? == json)
    }

    /// Replaces the note by which the attempt was claimed, if that is possible: by the claim alone others find
    /// what was submitted.
    pub(super) fn replace(&self, host: &dyn Host, path: &Path) {
        let written = self.json().and_then(|json| Ok(host.write(path, &json)?));
        if let Err(error) = written {
            log::warn!("what became of the new attempt could not be noted: {error}");
        }
    }

    fn json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self)
            .map_err(|error| Error::Options { problems: vec![error.to_string()] })
    }
}

/// What the notes tell beyond what is known.
#[derive(Debug)]
pub(crate) struct Noted {
    /// The attempts that were submitted, in their order.
    pub(crate) submitted: Vec<ArrayHandle>,
    /// The directory of the latest one, if all that is known is that somebody claims it.
    pub(super) claimed: Option<PathBuf>,
    /// The number of the first that nobody claims.
    pub(super) next: usize,
}

impl Cluster {
    /// Returns what the notes of the array in `dir` tell of attempts whose directory is not `known`.
    pub(crate) fn attempts_of(&self, dir: &JobDir, known: &[PathBuf]) -> Result<Noted> {
        self.attempts_but(dir, known, None)
    }

    /// Does so; of the attempt in `dead`, whose client has died, as much as was submitted.
    fn attempts_but(&self, dir: &JobDir, known: &[PathBuf], dead: Option<&Path>) -> Result<Noted> {
        let notes = self.notes(dir, known.len())?;
        let mut noted = Noted { submitted: Vec::new(), claimed: None, next: notes.len() + 1 };
        for (number, note) in (1..).zip(notes) {
            // Where files cannot be linked, one may be there before its content is.
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

    /// Returns the handle of a noted attempt with its ids, or its directory if it was not submitted: not with
    /// all of its Slurm arrays, unless its client `is_dead`.
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

    /// Reads all notes of the array in `dir`, of which there are about as many as `expected`.
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

    /// Makes the attempts known that came after the first one, and returns what else the notes tell.
    pub(super) fn follow<V>(&self, array: &JobArray<V>) -> Result<Noted> {
        self.follow_but(array, None)
    }

    /// Makes known what was submitted of the attempt in `dead`, whose client has died, and returns whether that
    /// is anything.
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
            // What it tries again has failed in the attempts before.
            state.leave(shares.selected.as_deref().unwrap_or_default());
            state.begin(handle.attempt(shares.selected));
        }
        Ok(noted)
    }

    /// Makes the attempts known to a submission that takes values of `upstream` which came after those that it
    /// knows, and returns the edges to them, because they may still run.
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

    /// Returns which items an attempt makes.
    fn shares_of(&self, attempt: &ArrayHandle) -> Result<Option<Shares>> {
        let array = JobArray::<()>::new(self, attempt.clone(), |_| Ok(()), None);
        let Work::Items(items) = array.spec()?.work else { return Ok(None) };
        Ok(Some(items.shares))
    }
}

/// Somebody else's claim, while it is waited for.
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
