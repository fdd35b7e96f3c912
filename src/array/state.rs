//! What is known of an array.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use slurm_core::codec;
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Failure, RunReport};
use slurm_core::segment::{HEADER, RecordKind, Records, check_header};
use slurm_core::spec::Shares;
use slurm_core::state::JobState;

use crate::backend::{Cadence, Indices, Sighting, Survey};
use crate::poll::{End, Fate};

/// How far an array has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// The number of items.
    pub items: usize,
    /// How many have a value.
    pub succeeded: usize,
    /// How many have ended without one.
    pub failed: usize,
    /// How many elements run, as far as is known.
    pub running: usize,
}

impl Progress {
    /// Returns how many items have ended.
    pub fn ended(&self) -> usize {
        self.succeeded + self.failed
    }
}

/// In the order of ends, the place of an item that was tried again.
pub(super) const NO_ITEM: u64 = u64::MAX;

/// All that is known.
#[derive(Debug)]
pub(super) struct State {
    pub(super) signature: u64,
    pub(super) attempts: Vec<Attempt>,
    slots: Vec<Slot>,
    /// The items in the order in which they ended.
    pub(super) ended: Vec<u64>,
    succeeded: usize,
    failed: usize,
}

/// One submission of items: all of them, or those that have failed before.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) dir: JobDir,
    pub(super) shares: Shares,
    pub(super) parts: Vec<Part>,
    elements: Vec<Element>,
    /// How many elements have items that have not ended.
    open: usize,
}

/// A Slurm array.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) job: JobId,
    pub(super) first: u64,
    pub(super) elements: u64,
}

/// A Slurm array task.
#[derive(Debug, Default)]
pub(super) struct Element {
    /// Whether its segment exists.
    listed: bool,
    /// How much of the segment was read.
    offset: u64,
    /// How many of its items have not ended.
    open: u64,
    fate: Fate,
    pub(super) run: Option<RunReport>,
    pub(super) end: Option<End>,
    /// The items that a later attempt makes, if that is known before the segment was read.
    left: HashSet<u64>,
    pub(super) damaged: Option<String>,
}

impl Element {
    /// Returns whether the runner got as far as the task.
    pub(super) fn has_started(&self) -> bool {
        self.listed
    }
}

/// What is known of an item.
#[derive(Clone, Debug, Default)]
pub(super) enum Slot {
    #[default]
    Open,
    Value(Arc<Vec<u8>>, Range<usize>),
    Failed(Arc<Vec<u8>>, Range<usize>),
    /// The element of this attempt ended without it.
    Ended(usize, u64),
}

impl Slot {
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

impl Attempt {
    pub(super) fn new(dir: JobDir, shares: Shares, parts: &[(JobId, u64)]) -> Self {
        let open = |element| shares.of_element_count(element);
        let elements: Vec<Element> = (0..shares.elements())
            .map(|element| Element { open: open(element), ..Element::default() })
            .collect();
        let mut first = 0;
        let parts = parts.iter().map(|(job, elements)| {
            let part = Part { job: *job, first, elements: *elements };
            first += elements;
            part
        });
        let parts = parts.collect();
        Self { dir, open: elements.len(), shares, parts, elements }
    }

    /// Returns the Slurm array that an element is in, and its index there.
    pub(super) fn place(&self, element: u64) -> Option<(JobId, u32)> {
        let has = |part: &&Part| (part.first..part.first + part.elements).contains(&element);
        let part = self.parts.iter().find(has)?;
        Some((part.job, (element - part.first) as u32))
    }

    /// Returns the indices of the elements of a Slurm array that have not made all of their items.
    pub(super) fn open_in(&self, part: &Part) -> Indices {
        let of_part = self.elements.iter().skip(part.first as usize).take(part.elements as usize);
        let open = (0..).zip(of_part).filter(|(_, element)| element.open > 0);
        ranges(open.map(|(index, _)| index))
    }

    pub(super) fn element(&self, element: u64) -> Option<&Element> {
        self.elements.get(element as usize)
    }
}

impl State {
    pub(super) fn new(signature: u64, items: u64) -> Self {
        let slots = vec![Slot::Open; items as usize];
        let (attempts, ended) = (Vec::new(), Vec::new());
        Self { signature, attempts, slots, ended, succeeded: 0, failed: 0 }
    }

    pub(super) fn slot(&self, item: u64) -> Option<&Slot> {
        self.slots.get(item as usize)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.succeeded + self.failed == self.slots.len()
    }

    /// Begins another attempt to make items; those that ended without a value are open again.
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
        // They end once more, later; the places of the others stay, for whoever is in the middle.
        for item in self.ended.iter_mut().filter(|item| reopened.contains(item)) {
            *item = NO_ITEM;
        }
        self.attempts.push(attempt);
        self.give_up_unsubmitted();
    }

    /// Gives up the items of elements that no Slurm array has: their client died before it could submit
    /// all arrays.
    fn give_up_unsubmitted(&mut self) {
        let Some(number) = self.attempts.len().checked_sub(1) else { return };
        let attempt = &mut self.attempts[number];
        let submitted: u64 = attempt.parts.iter().map(|part| part.elements).sum();
        for (index, element) in (0..).zip(&mut attempt.elements).skip(submitted as usize) {
            element.end = Some(End::Lost);
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

    /// Takes in that the attempts so far have left these items to a later one.
    pub(super) fn leave(&mut self, items: &[u64]) {
        for attempt in &mut self.attempts {
            for item in items {
                let element = attempt.shares.element_of(*item);
                let element =
                    element.and_then(|element| attempt.elements.get_mut(element as usize));
                if let Some(element) = element.filter(|element| element.open > 0) {
                    element.open -= 1;
                    element.left.insert(*item);
                    attempt.open -= usize::from(element.open == 0);
                }
            }
        }
    }

    /// Returns the items that have ended without a value, ascending.
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

    /// Returns the state of the element that has an item, as it was seen last.
    pub(super) fn last_seen(&self, item: u64) -> Option<&Sighting> {
        let attempts = self.attempts.iter().rev();
        let mut elements =
            attempts.filter_map(|attempt| attempt.element(attempt.shares.element_of(item)?));
        elements.next()?.fate.last()
    }

    /// Returns the attempts that are not over, with their positions.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, &Attempt)> {
        self.attempts.iter().enumerate().filter(|(_, attempt)| attempt.open > 0)
    }

    /// Returns the segments that may grow: their element and how much of each is known.
    pub(super) fn growing(attempt: &Attempt) -> impl Iterator<Item = (u64, u64)> {
        let elements = (0..).zip(&attempt.elements);
        // One that has ended may have a segment that a cached listing does not show yet.
        let may_be_there = |element: &Element| element.listed || element.fate.has_ended();
        let grows = elements.filter(move |(_, element)| element.open > 0 && may_be_there(element));
        grows.map(|(number, element)| (number, element.offset))
    }

    /// Takes in which segments of an attempt exist.
    pub(super) fn listed(&mut self, attempt: usize, names: &[String]) -> bool {
        let Some(attempt) = self.attempts.get_mut(attempt) else { return false };
        let mut news = false;
        for element in names.iter().filter_map(|name| name.parse::<usize>().ok()) {
            if let Some(element) = attempt.elements.get_mut(element) {
                news |= !element.listed;
                element.listed = true;
            }
        }
        news
    }

    /// Takes in what was added to a segment since `offset`.
    pub(super) fn grown(
        &mut self,
        number: usize,
        element: u64,
        offset: u64,
        bytes: Vec<u8>,
    ) -> bool {
        let signature = self.signature;
        let Some(attempt) = self.attempts.get_mut(number) else { return false };
        let Some(known) = attempt.elements.get_mut(element as usize) else { return false };
        // Somebody else has read it meanwhile, or it was cut by a run that began anew.
        if known.offset != offset || bytes.is_empty() {
            return false;
        }
        let start = if offset == 0 {
            match check_header(&bytes, signature) {
                Ok(true) => HEADER,
                Ok(false) => return false,
                Err(error) => {
                    known.damaged = Some(error.to_string());
                    return false;
                }
            }
        } else {
            0
        };
        known.listed = true;
        let bytes = Arc::new(bytes);
        let mut records = Records::new(&bytes, start);
        let was_open = known.open > 0;
        for record in &mut records {
            let slot = match record.kind {
                RecordKind::Value => Slot::Value(Arc::clone(&bytes), record.payload),
                RecordKind::Failure => Slot::Failed(Arc::clone(&bytes), record.payload),
                _ => {
                    let report = bytes.get(record.payload).map(codec::decode::<RunReport>);
                    known.run = report.and_then(Result::ok).or(known.run.take());
                    continue;
                }
            };
            let has_value = matches!(slot, Slot::Value(..));
            if known.left.contains(&record.index) {
                continue;
            }
            let Some(place) = self.slots.get_mut(record.index as usize) else { continue };
            if place.is_open() {
                known.open = known.open.saturating_sub(1);
                self.ended.push(record.index);
                if has_value {
                    self.succeeded += 1
                } else {
                    self.failed += 1
                }
                *place = slot;
            } else if has_value && !matches!(place, Slot::Value(..)) {
                // It was given up too early, and is here after all.
                self.succeeded += 1;
                self.failed -= 1;
                *place = slot;
            }
        }
        let whole = offset + records.position() as u64;
        // Half of a record is no news, however often it is read.
        let grew = known.offset != whole;
        known.offset = whole;
        attempt.open -= usize::from(was_open && known.open == 0);
        grew
    }

    /// Takes in what the backend says of the elements.
    pub(super) fn seen(&mut self, survey: &Survey) -> bool {
        let (doubtful, mut news) = (survey.doubt.is_some(), false);
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.open > 0) {
            for part in &attempt.parts {
                let mut seen: Vec<Option<&Sighting>> = vec![None; part.elements as usize];
                for (indices, sighting) in survey.elements.get(&part.job).into_iter().flatten() {
                    for (first, last) in indices {
                        let last = (*last as usize + 1).min(seen.len());
                        if let Some(range) = seen.get_mut(*first as usize..last) {
                            range.fill(Some(sighting));
                        }
                    }
                }
                let elements = attempt.elements.iter_mut().skip(part.first as usize);
                for (element, seen) in elements.zip(seen).filter(|(element, _)| element.open > 0) {
                    news |= element.fate.take_in(seen, doubtful);
                }
            }
        }
        news
    }

    pub(super) fn unanswered(&mut self) {
        let elements = self.attempts.iter_mut().flat_map(|attempt| &mut attempt.elements);
        elements.filter(|element| element.open > 0).for_each(|element| element.fate.unanswered());
    }

    /// Gives up the items of elements that have ended without them.
    pub(super) fn settle(&mut self, cadence: &Cadence) {
        for (number, attempt) in self.attempts.iter_mut().enumerate() {
            if attempt.open == 0 {
                continue;
            }
            for (index, element) in (0..).zip(&mut attempt.elements) {
                let Some(end) = (element.open > 0).then(|| element.fate.settle(cadence)).flatten()
                else {
                    continue;
                };
                element.end = Some(end);
                element.open = 0;
                attempt.open -= 1;
                let items = attempt.shares.of_element(index).into_iter();
                for item in items.filter(|item| !element.left.contains(item)) {
                    if let Some(slot) =
                        self.slots.get_mut(item as usize).filter(|slot| slot.is_open())
                    {
                        *slot = Slot::Ended(number, index);
                        self.ended.push(item);
                        self.failed += 1;
                    }
                }
            }
        }
    }
}

/// Returns ascending indices as inclusive ranges.
pub(super) fn ranges(indices: impl Iterator<Item = u32>) -> Indices {
    let mut ranges = Indices::new();
    for index in indices {
        match ranges.last_mut() {
            Some((_, last)) if index <= last.saturating_add(1) => *last = index,
            _ => ranges.push((index, index)),
        }
    }
    ranges
}

/// Returns the failure that a record holds.
pub(super) fn failure(bytes: &[u8]) -> Failure {
    codec::decode(bytes).unwrap_or_else(|error| {
        let kind = slurm_core::outcome::FailureKind::Version;
        Failure::new(kind, format!("the failure {error}"))
    })
}

#[cfg(test)]
mod tests {
    use slurm_core::segment::{header, push_record};

    use super::*;

    fn state(items: u64) -> State {
        let mut state = State::new(7, items);
        let shares = Shares { selected: None, count: items, per_element: items };
        let job = "9".parse().unwrap();
        state.begin(Attempt::new(JobDir::at("/nowhere"), shares, &[(job, 1)]));
        state
    }

    #[test]
    fn half_of_a_record_is_no_news() {
        let mut state = state(2);
        let mut bytes = header(7);
        push_record(&mut bytes, RecordKind::Value, 0, b"zero");
        let whole = bytes.len() as u64;
        push_record(&mut bytes, RecordKind::Value, 1, b"one");
        let rest = bytes.split_off(bytes.len() - 2);
        assert!(state.grown(0, 0, 0, bytes.clone()));
        let half = bytes[whole as usize..].to_vec();
        assert!(!state.grown(0, 0, whole, half.clone()), "also when it is read again");
        assert_eq!(state.progress().succeeded, 1);
        assert!(state.grown(0, 0, whole, [half, rest].concat()));
        assert!(state.is_complete());
    }

    #[test]
    fn an_item_that_is_tried_again_ends_once_more() {
        let mut state = state(2);
        let failure = codec::encode(&Failure::new(slurm_core::outcome::FailureKind::Error, "no"));
        let mut bytes = header(7);
        push_record(&mut bytes, RecordKind::Failure, 0, &failure.unwrap());
        push_record(&mut bytes, RecordKind::Value, 1, b"one");
        assert!(state.grown(0, 0, 0, bytes) && state.is_complete());
        let shares = Shares { selected: Some(vec![0]), count: 1, per_element: 1 };
        let job = "10".parse().unwrap();
        state.begin(Attempt::new(JobDir::at("/again"), shares, &[(job, 1)]));
        assert_eq!((state.ended.as_slice(), state.is_complete()), (&[NO_ITEM, 1][..], false));
        let mut bytes = header(7);
        push_record(&mut bytes, RecordKind::Value, 0, b"zero");
        assert!(state.grown(1, 0, 0, bytes) && state.is_complete());
        assert_eq!(state.ended, [NO_ITEM, 1, 0]);
    }

    #[test]
    fn what_no_slurm_array_has_is_given_up() {
        let mut state = State::new(7, 4);
        let shares = Shares { selected: None, count: 4, per_element: 1 };
        let job = "9".parse().unwrap();
        state.begin(Attempt::new(JobDir::at("/nowhere"), shares, &[(job, 3)]));
        assert_eq!((state.failed(), state.progress().failed), (vec![3], 1));
    }
}
