//! Cancels an array, or some of its items.

use std::time::Duration;

use slurm_core::backoff::Backoff;
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;

use super::JobArray;
use super::attempts::Noted;
use super::state::{Attempt, State, ranges};
use crate::backend::{Asked, Cancelled};
use crate::cluster::Cluster;
use crate::error::Result;

impl<T> JobArray<T> {
    /// Cancels all Slurm arrays, but no job that their calls have submitted. Returns the cancelled arrays.
    pub(crate) fn cancel_alone(&self) -> Result<Vec<Asked>> {
        self.cancel_all_of(|state| {
            let parts = state.attempts.iter().flat_map(|attempt| &attempt.parts);
            parts.map(|part| Asked::job(part.job)).collect()
        })
    }

    /// Cancels the elements of these items, but no job that their calls have submitted. Returns the cancelled
    /// elements.
    pub(crate) fn cancel_elements_of(&self, items: &[u64]) -> Result<Vec<Asked>> {
        self.cancel_all_of(|state| elements_of(state, items))
    }

    /// Returns these items and the other items of their elements, except those that a later attempt makes.
    pub(crate) fn made_with(&self, items: &[u64]) -> Vec<u64> {
        with_them(&self.watch.state(), items)
    }

    /// Cancels the jobs and elements that `chosen` selects, in all attempts that exist or are being submitted,
    /// and returns them.
    fn cancel_all_of(&self, chosen: impl Fn(&State) -> Vec<Asked>) -> Result<Vec<Asked>> {
        self.answer.expire();
        let (mut cancelled, mut late, mut unknown) = (Vec::new(), Late::new(), Vec::new());
        loop {
            let followed = self.cluster.follow(self);
            let chosen = chosen(&self.watch.state());
            let new: Vec<Asked> =
                chosen.into_iter().filter(|asked| !cancelled.contains(asked)).collect();
            for Asked { job, elements } in &new {
                // One note about all of them follows.
                let cancelled = self.cluster.backend().cancel(*job, elements.as_ref(), None)?;
                if cancelled == Cancelled::Unknown {
                    unknown.push(*job);
                }
            }
            cancelled.extend(new);
            if !late.may_come(&self.cluster, &followed?)? {
                break;
            }
        }
        self.note_cancelled(&cancelled);
        self.check_are_over(&unknown)?;
        Ok(cancelled)
    }

    /// Writes a note about a cancellation, because Slurm forgets elements that were cancelled before they ran.
    fn note_cancelled(&self, cancelled: &[Asked]) {
        self.watch.state().cancelled(cancelled);
        let path = JobDir::at(&self.handle.dir).cancelled(fastrand::u64(..));
        let written = serde_json::to_vec(cancelled).map_err(|error| error.to_string());
        let host = self.cluster.backend().host();
        let written = written.and_then(|note| host.write(&path, &note).map_err(|e| e.to_string()));
        if let Err(error) = written {
            log::warn!("the cancellation could not be noted in {}: {error}", path.display());
        }
    }

    /// Returns an error for Slurm arrays that could not be cancelled, unless they are known to have ended.
    fn check_are_over(&self, unknown: &[JobId]) -> Result<()> {
        let is_open = |job: &&JobId| {
            let state = self.watch.state();
            state.open().any(|(_, attempt)| attempt.parts.iter().any(|part| part.job == **job))
        };
        let open: Vec<Asked> = unknown.iter().filter(is_open).copied().map(Asked::job).collect();
        if open.is_empty() {
            return Ok(());
        }
        let survey = self.cluster.backend().survey(&open)?;
        let absent = open.iter().find(|asked| survey.all_of(asked.job).next().is_none());
        absent.map_or(Ok(()), |asked| Err(survey.testimony.absence_of(asked.job)))
    }
}

/// Returns the number of the latest attempt to make an item, the attempt, and the item's element there.
fn latest(state: &State, item: u64) -> Option<(usize, &Attempt, u64)> {
    let attempts = state.attempts.iter().enumerate().rev();
    let mut having = attempts
        .filter_map(|(number, attempt)| Some((number, attempt, attempt.shares.element_of(item)?)));
    having.next()
}

/// Returns the elements that make these items in their latest attempt.
fn elements_of(state: &State, items: &[u64]) -> Vec<Asked> {
    let place = |item: &u64| {
        let (_, attempt, element) = latest(state, *item)?;
        attempt.place(element)
    };
    let mut elements: Vec<_> = items.iter().filter_map(place).collect();
    elements.sort_unstable();
    elements.dedup();
    let of_array = elements.chunk_by(|(one, _), (other, _)| one == other);
    let asked = of_array.filter_map(|of_array| {
        let elements = Some(ranges(of_array.iter().map(|(_, index)| *index)));
        Some(Asked { job: of_array.first()?.0, elements })
    });
    asked.collect()
}

/// Returns these items and the other items of their elements, except those that a later attempt makes.
fn with_them(state: &State, items: &[u64]) -> Vec<u64> {
    let of_element = |item: &u64| {
        let (number, attempt, element) = latest(state, *item)?;
        let items = attempt.shares.of_element(element).into_iter();
        let is_latest = move |item: &u64| latest(state, *item).is_some_and(|(n, ..)| n == number);
        Some(items.filter(is_latest))
    };
    let mut with_them: Vec<u64> = items.iter().filter_map(of_element).flatten().collect();
    with_them.sort_unstable();
    with_them.dedup();
    with_them
}

/// Waits for an attempt that another process may just be submitting, so that it can be cancelled too.
#[derive(Debug)]
pub(crate) struct Late {
    backoff: Backoff,
    is_over: bool,
}

impl Late {
    pub(crate) fn new() -> Self {
        Self { backoff: Backoff::steady(Duration::from_millis(500)), is_over: false }
    }

    /// Waits a little if a claimed attempt may still become a job, and returns whether to look for it again.
    pub(crate) fn may_come(&mut self, cluster: &Cluster, noted: &Noted) -> Result<bool> {
        let Some(claimed) = noted.claimed.as_ref().filter(|_| !self.is_over) else {
            return Ok(false);
        };
        let backend = cluster.backend();
        // Nothing is submitted before the script exists.
        if backend.host().read(&JobDir::at(claimed).script(), 0)?.is_none() {
            return Ok(false);
        }
        self.backoff.pause();
        // Checked before the next look, so that the last look comes after the limit.
        self.is_over = self.backoff.elapsed() >= backend.cadence().on_the_way;
        Ok(true)
    }
}

impl Cluster {
    /// Cancels all attempts of the array in `dir` except the first, also one that is being submitted, and
    /// returns their ids.
    pub(crate) fn cancel_attempts(&self, dir: &JobDir) -> Result<Vec<JobId>> {
        let (mut cancelled, mut late) = (Vec::new(), Late::new());
        loop {
            let noted = self.attempts_of(dir, &[])?;
            let parts = noted.submitted.iter().flat_map(|attempt| &attempt.parts);
            for id in parts.map(|part| part.job_id) {
                if !cancelled.contains(&id) {
                    // The result is ignored: a job that the backend no longer knows has ended.
                    let _ = self.backend().cancel(id, None, Some(dir))?;
                    cancelled.push(id);
                }
            }
            if !late.may_come(self, &noted)? {
                return Ok(cancelled);
            }
        }
    }
}
