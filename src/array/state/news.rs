//! Updates of an array's state, from segments that grow and from the backend's surveys.

use std::sync::Arc;

use slurm_core::codec;
use slurm_core::outcome::{Failure, FailureKind, RunReport};
use slurm_core::segment::{HEADER, RecordKind, Records, check_header};

use super::notes::sighting_of;
use super::{Attempt, Element, Slot, State};
use crate::backend::{Cadence, Sighting, Source, Survey};

impl State {
    /// Returns the segments that may grow: the element, and the number of bytes already read.
    pub(in crate::array) fn growing(attempt: &Attempt) -> impl Iterator<Item = (u64, u64)> {
        let elements = (0..).zip(&attempt.elements);
        // A cached listing may not yet show the segment of an element that has ended.
        let may_be_there = |element: &Element| element.listed || element.fate.has_ended();
        let grows = elements.filter(move |(_, element)| element.open > 0 && may_be_there(element));
        grows.map(|(number, element)| (number, element.offset))
    }

    /// Records which segments of an attempt exist.
    pub(in crate::array) fn listed(&mut self, attempt: usize, names: &[String]) -> bool {
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

    /// Reads the records that were added to a segment after `offset`.
    pub(in crate::array) fn grown(
        &mut self,
        number: usize,
        element: u64,
        offset: u64,
        bytes: Vec<u8>,
    ) -> bool {
        let signature = self.signature;
        let Some(attempt) = self.attempts.get_mut(number) else { return false };
        let Some(known) = attempt.elements.get_mut(element as usize) else { return false };
        // Another thread has read it meanwhile, or a new run has cut it.
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
                RecordKind::Panic => {
                    let failure = failure(bytes.get(record.payload).unwrap_or_default());
                    known.panicked = Some((record.index, failure));
                    continue;
                }
                kind => {
                    known.fate.is_complete(kind == RecordKind::RunEnds);
                    let report = bytes.get(record.payload).map(codec::decode::<RunReport>);
                    known.run = report.and_then(Result::ok).or(known.run.take());
                    continue;
                }
            };
            let has_value = matches!(slot, Slot::Value(..));
            // A later attempt makes the item.
            if !attempt.counted.insert(&attempt.shares, record.index) {
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
                // The item was given up too early; its value has arrived after all.
                self.succeeded += 1;
                self.failed -= 1;
                *place = slot;
            }
        }
        // A later run of the element cuts off damaged or torn records and writes them again.
        known.damaged = records.damage().map(str::to_owned);
        known.torn = records.is_torn();
        let whole = offset + records.position() as u64;
        // Half of a record does not count as growth, however often it is read.
        let grew = known.offset != whole;
        known.offset = whole;
        attempt.open -= usize::from(was_open && known.open == 0);
        grew
    }

    /// Records the backend's survey of the elements.
    pub(in crate::array) fn seen(&mut self, survey: &Survey) -> bool {
        let mut news = false;
        self.ahead = None;
        for attempt in self.attempts.iter_mut().filter(|attempt| attempt.open > 0) {
            for part in &attempt.parts {
                let ahead = survey.ahead.get(&part.job).map(|ahead| ahead.waiting);
                self.ahead = self.ahead.into_iter().chain(ahead).min();
                // A sighting of the whole array holds for elements without a line of their own.
                let of_array = survey.of_array(part.job);
                let mut seen: Vec<Option<&Sighting>> = vec![of_array; part.elements as usize];
                for (indices, sighting) in survey.elements.get(&part.job).into_iter().flatten() {
                    for (first, last) in indices {
                        let last = (*last as usize + 1).min(seen.len());
                        if let Some(range) = seen.get_mut(*first as usize..last) {
                            range.fill(Some(sighting));
                        }
                    }
                }
                let elements = attempt.elements.iter_mut().skip(part.first as usize);
                let open = (0..).zip(elements.zip(seen)).filter(|(_, (of, _))| of.open > 0);
                for (index, (element, seen)) in open {
                    // If this array was cancelled, that explains why a source has forgotten the element or
                    // reports no end.
                    let noted = match seen {
                        Some(seen) if seen.source != Source::Accounting || seen.is_end() => None,
                        _ => sighting_of(&self.cancelled, part.job, index),
                    };
                    news |= element.fate.take_in(noted.as_ref().or(seen), &survey.testimony);
                }
            }
        }
        news
    }

    pub(in crate::array) fn unanswered(&mut self, why: &str) {
        let elements = self.attempts.iter_mut().flat_map(|attempt| &mut attempt.elements);
        elements
            .filter(|element| element.open > 0)
            .for_each(|element| element.fate.unanswered(why));
    }

    /// Gives up the items of elements that have ended without them.
    pub(in crate::array) fn settle(&mut self, cadence: &Cadence) {
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
                let (shares, counted) = (&attempt.shares, &attempt.counted);
                let items = shares.of_element(index).into_iter();
                for item in items.filter(|item| !counted.contains(shares, *item)) {
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

/// Returns the failure that a record holds.
pub(in crate::array) fn failure(bytes: &[u8]) -> Failure {
    codec::decode(bytes)
        .unwrap_or_else(|error| Failure::new(FailureKind::Version, format!("the failure {error}")))
}
