//! The state of an array, as far as this process knows it.
//!
//! | file | holds |
//! |---|---|
//! | `attempt` | one submission of items, and its elements |
//! | `news` | updates from segments and from the backend |
//! | `notes` | notes about cancelled elements |

mod attempt;
mod news;
mod notes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use slurm_core::state::JobState;

use crate::backend::{Asked, Sighting};
use crate::model::{ArrayHandle, Progress, Status};
use crate::poll::End;

pub(super) use attempt::{Attempt, Element, ranges};
pub(super) use news::failure;

/// Stands in `ended` in the place of an item that was retried.
pub(super) const NO_ITEM: u64 = u64::MAX;

/// The state of an array, as far as this process knows it.
#[derive(Debug)]
pub(super) struct State {
    pub(super) signature: u64,
    pub(super) attempts: Vec<Attempt>,
    slots: Vec<Slot>,
    /// The items in the order in which they ended.
    pub(super) ended: Vec<u64>,
    /// The cancelled elements, from this process or from notes of others.
    cancelled: Vec<Asked>,
    /// The names of the notes about cancelled elements, and whether each was read.
    notes: BTreeMap<String, bool>,
    succeeded: usize,
    failed: usize,
    /// The number of jobs that start before the first pending element.
    pub(super) ahead: Option<u64>,
}

/// The outcome of an item.
#[derive(Clone, Debug, Default)]
pub(super) enum Slot {
    #[default]
    Open,
    Value(Arc<Vec<u8>>, Range<usize>),
    Failed(Arc<Vec<u8>>, Range<usize>),
    /// The element `.1` of the attempt `.0` ended without an outcome of this item.
    Ended(usize, u64),
}

impl Slot {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

impl State {
    pub(super) fn new(signature: u64, items: u64) -> Self {
        let slots = vec![Slot::Open; items as usize];
        let (attempts, ended) = (Vec::new(), Vec::new());
        let (cancelled, notes) = (Vec::new(), BTreeMap::new());
        Self {
            signature,
            attempts,
            slots,
            ended,
            cancelled,
            notes,
            succeeded: 0,
            failed: 0,
            ahead: None,
        }
    }

    /// Reads a segment in two parts, in each of two attempts; for the fuzz targets.
    pub(super) fn of_anything(handle: &ArrayHandle, segment: &[u8]) {
        let mut state = Self::new(handle.signature, handle.items);
        state.begin(handle.attempt(None));
        for attempt in 0..2 {
            state.listed(attempt, &["0".to_owned(), "18446744073709551615".to_owned()]);
            state.grown(attempt, 0, 0, segment[..segment.len() / 2].to_vec());
            let known = state.attempts[attempt].element(0).map_or(0, |element| element.offset);
            let rest = segment.get(known as usize..).unwrap_or_default();
            state.grown(attempt, 0, known, rest.to_vec());
            for slot in &state.slots {
                if let Slot::Failed(bytes, range) = slot {
                    let _ = failure(bytes.get(range.clone()).unwrap_or_default());
                }
            }
            let progress = state.progress();
            assert!(progress.ended() <= progress.items, "{progress:?}");
            let failed = state.failed();
            state.leave(&failed);
            state.begin(handle.attempt(Some(failed)));
        }
    }

    pub(super) fn slot(&self, item: u64) -> Option<&Slot> {
        self.slots.get(item as usize)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.succeeded + self.failed == self.slots.len()
    }

    /// Returns the directories of all attempts.
    pub(super) fn dirs(&self) -> Vec<PathBuf> {
        self.attempts.iter().map(|attempt| attempt.dir.path().to_owned()).collect()
    }

    /// Does what [`begin`](Self::begin) does, unless the attempt is known.
    pub(super) fn join(&mut self, attempt: Attempt) {
        if !self.dirs().iter().any(|dir| dir == attempt.dir.path()) {
            self.begin(attempt);
        }
    }

    /// Adds an attempt. Its items that had ended without a value are open again.
    pub(super) fn begin(&mut self, attempt: Attempt) {
        let mut reopened = HashSet::new();
        for item in attempt.shares.selected.iter().flatten() {
            if let Some(slot) = self.slots.get_mut(*item as usize)
                && matches!(slot, Slot::Failed(..) | Slot::Ended(..))
            {
                *slot = Slot::Open;
                self.failed -= 1;
                reopened.insert(*item);
            }
        }
        // They will end again. The other items keep their places, because a stream may be in the middle of the
        // list.
        for item in self.ended.iter_mut().filter(|item| reopened.contains(item)) {
            *item = NO_ITEM;
        }
        self.attempts.push(attempt);
        self.give_up_unsubmitted();
    }

    /// Gives up the items of elements that are in no Slurm array: the client died before it had submitted all
    /// arrays.
    fn give_up_unsubmitted(&mut self) {
        let Some(number) = self.attempts.len().checked_sub(1) else { return };
        let attempt = &mut self.attempts[number];
        let submitted: u64 = attempt.parts.iter().map(|part| part.elements).sum();
        for (index, element) in (0..).zip(&mut attempt.elements).skip(submitted as usize) {
            element.end = Some(End::never_submitted());
            element.open = 0;
            attempt.open -= 1;
            for item in attempt.shares.of_element(index) {
                if let Some(slot) = self.slots.get_mut(item as usize).filter(|slot| slot.is_open())
                {
                    *slot = Slot::Ended(number, index);
                    self.ended.push(item);
                    self.failed += 1;
                }
            }
        }
    }

    /// Records that a later attempt makes these items, so the attempts so far need not.
    pub(super) fn leave(&mut self, items: &[u64]) {
        for attempt in &mut self.attempts {
            for item in items {
                if !attempt.counted.insert(&attempt.shares, *item) {
                    continue;
                }
                let element = attempt.shares.element_of(*item);
                let element =
                    element.and_then(|element| attempt.elements.get_mut(element as usize));
                if let Some(element) = element.filter(|element| element.open > 0) {
                    element.open -= 1;
                    attempt.open -= usize::from(element.open == 0);
                }
            }
        }
    }

    /// Returns whether all elements with open items were pending or running when last seen.
    pub(super) fn open_elements_live(&self) -> bool {
        let elements = self.attempts.iter().flat_map(|attempt| &attempt.elements);
        elements.filter(|element| element.open > 0).all(|element| element.fate.lives())
    }

    /// Returns the items that have ended without a value, in ascending order.
    pub(super) fn failed(&self) -> Vec<u64> {
        let slots = (0..).zip(&self.slots);
        let failed = slots.filter(|(_, slot)| matches!(slot, Slot::Failed(..) | Slot::Ended(..)));
        failed.map(|(item, _)| item).collect()
    }

    pub(super) fn progress(&self) -> Progress {
        let elements = self.attempts.iter().flat_map(|attempt| &attempt.elements);
        let runs = |element: &&Element| {
            let seen = element.fate.last().map(|seen| &seen.state);
            element.open > 0
                && (element.listed || seen == Some(&JobState::Running))
                && !element.fate.has_ended()
                && !seen.is_some_and(JobState::is_pending)
        };
        let (items, succeeded, failed) = (self.slots.len(), self.succeeded, self.failed);
        Progress { items, succeeded, failed, running: elements.filter(runs).count() }
    }

    /// Returns the statuses of the elements that have not ended, with the number of elements of each. Nodes and
    /// times are left out, because they differ between elements.
    pub(super) fn statuses(&self) -> Vec<(Status, usize)> {
        let mut groups: Vec<(&Sighting, usize)> = Vec::new();
        let elements = self.attempts.iter().flat_map(|attempt| &attempt.elements);
        let open = elements.filter(|element| element.open > 0 && !element.fate.has_ended());
        for seen in open.filter_map(|element| element.fate.last()) {
            let is_it = |(known, _): &&mut (&Sighting, usize)| {
                (&known.state, &known.reason) == (&seen.state, &seen.reason)
            };
            match groups.iter_mut().find(is_it) {
                Some((_, count)) => *count += 1,
                None => groups.push((seen, 1)),
            }
        }
        let alike = |(seen, count): (&Sighting, usize)| {
            let jobs_ahead = self.ahead.filter(|_| seen.state.is_pending());
            let status = Status { node: None, started: None, jobs_ahead, ..seen.status() };
            (status, count)
        };
        groups.into_iter().map(alike).collect()
    }

    /// Returns the last sighting of the element that has an item.
    pub(super) fn last_seen(&self, item: u64) -> Option<&Sighting> {
        let attempts = self.attempts.iter().rev();
        let mut elements =
            attempts.filter_map(|attempt| attempt.element(attempt.shares.element_of(item)?));
        elements.next()?.fate.last()
    }

    /// Returns the attempts with open elements, and their positions.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, &Attempt)> {
        self.attempts.iter().enumerate().filter(|(_, attempt)| attempt.open > 0)
    }
}
