//! The ends of array elements behind dependencies.

use std::collections::{BTreeMap, HashSet};

use slurm_core::codec;
use slurm_core::layout::JobDir;
use slurm_core::options::DependencyKind;
use slurm_core::outcome::{Failure, MissingItem};
use slurm_core::segment::{HEADER, RecordKind, Records};
use slurm_core::state::JobState;
use slurm_host::{Found, Look};

use super::ends::End;
use crate::backend::{Indices, Sighting, Survey};
use crate::cluster::Cluster;
use crate::model::{Edge, ExplainedArray, Explanation};

/// Returns the combined end of some elements of the array behind `edge`.
pub(super) fn of_elements(
    cluster: &Cluster,
    edge: &Edge,
    elements: &Indices,
    survey: &Survey,
) -> End {
    let (mut lives, mut bad, mut missing) = (false, None, Vec::new());
    for (index, end) in ends(edge, elements, survey) {
        match end {
            Some(End::Badly(message)) => bad = Some(message),
            // The accounting may lag behind what this process has seen.
            Some(End::Lives) if edge.ended_as.is_none() => lives = true,
            Some(End::Well) => {}
            _ => missing.push(index),
        }
    }
    // One failed element decides whether all succeed; whether all have ended depends on the last one.
    let needs_success = edge.kind == DependencyKind::AfterOk;
    match bad {
        Some(message) if needs_success || !lives => return End::Badly(message),
        _ if lives => return End::Lives,
        _ => {}
    }
    // Slurm forgets elements that were cancelled before they ran, and some clusters keep no accounting.
    left_by(cluster, edge, &missing)
}

/// Returns the end of each element, if a source reports it.
fn ends(edge: &Edge, elements: &Indices, survey: &Survey) -> Vec<(u32, Option<End>)> {
    // A line about the whole array holds for elements without a line of their own, if no element has run. If
    // one has run, such a line may be the record of a single element, which the accounting prints in this form
    // for a moment.
    let none_ran = |seen: &&Sighting| seen.state.is_pending() || seen.state == JobState::Cancelled;
    let whole = survey.seen.get(&edge.job).filter(none_ran);
    let mut ends = Vec::new();
    for (first, last) in elements {
        let mut seen = vec![whole; (last - first) as usize + 1];
        let known = survey.elements.get(&edge.job).into_iter().flatten();
        for (indices, sighting) in known {
            for (from, to) in indices {
                // Later sightings overwrite earlier ones.
                for index in (*from).max(*first)..=(*to).min(*last) {
                    seen[(index - first) as usize] = Some(sighting);
                }
            }
        }
        ends.extend((*first..).zip(seen).map(|(index, seen)| (index, seen.map(End::of))));
    }
    ends
}

/// Returns the elements that did not succeed, each with an item that has no value. All elements of the array
/// must have ended.
pub(super) fn without_success(
    cluster: &Cluster,
    edge: &Edge,
    elements: &Indices,
    survey: &Survey,
) -> Option<Vec<MissingItem>> {
    let ends = ends(edge, elements, survey);
    let open = ends.iter().filter(|(_, end)| !matches!(end, Some(End::Well)));
    let open: Vec<u32> = open.map(|(index, _)| *index).collect();
    let bad = ends.iter().filter(|(_, end)| matches!(end, Some(End::Badly(_))));
    let bad: HashSet<u32> = bad.map(|(index, _)| *index).collect();
    let segments = Segments::of(cluster, edge)?;
    let mut without = Vec::new();
    for batch in open.chunks(AT_ONCE) {
        for (index, left) in segments.read(batch)? {
            let first_failure =
                left.items.iter().find_map(|(item, why)| Some((*item, why.clone()?)));
            let (item, failure) = match first_failure {
                Some((item, failure)) => (item, Some(failure)),
                None if left.is_whole() && !bad.contains(&index) => continue,
                None => (left.first_without_value(), None),
            };
            let (task, job) = (edge.task.clone(), edge.job);
            without.push(MissingItem { task, job, index, item, failure });
        }
    }
    Some(without)
}

/// The number of segments that are read at once.
const AT_ONCE: usize = 16;

/// The segments of an array.
struct Segments<'a> {
    cluster: &'a Cluster,
    dir: JobDir,
    array: ExplainedArray,
    /// The number of the element that has the index 0.
    first: u64,
}

/// The items that an element has left in its segment.
struct Left {
    /// The items that have ended, with the failure of those without a value.
    items: BTreeMap<u64, Option<String>>,
    /// The number of items of the element, and the first of them.
    expected: u64,
    from: u64,
}

impl Left {
    /// Returns whether every item has ended.
    fn is_whole(&self) -> bool {
        self.items.len() as u64 >= self.expected
    }

    fn first_without_value(&self) -> u64 {
        let mut items = self.from..self.from.saturating_add(self.expected);
        items.find(|item| !self.items.contains_key(item)).unwrap_or(self.from)
    }
}

impl<'a> Segments<'a> {
    fn of(cluster: &'a Cluster, edge: &Edge) -> Option<Self> {
        let dir = JobDir::at(&edge.dir);
        let text = cluster.backend().host().read(&dir.job_json(), 0).ok().flatten()?;
        let array = serde_json::from_slice::<Explanation>(&text).ok()?.array?;
        Some(Self { cluster, dir, array, first: edge.elements?.0 })
    }

    /// Returns the items that elements have left, or `None` if the segments cannot be read.
    fn read(&self, indices: &[u32]) -> Option<Vec<(u32, Left)>> {
        let number = |index: &u32| self.first + u64::from(*index);
        let look = |index: &u32| Look::File { path: self.dir.segment(number(index)), offset: 0 };
        let looks: Vec<Look> = indices.iter().map(look).collect();
        let found = self.cluster.backend().host().look(&looks, u64::MAX).ok()?;
        let left = |(index, found): (&u32, Result<Found, _>)| {
            let bytes = found.ok().and_then(Found::into_bytes).unwrap_or_default();
            let share = self.array.items_per_element;
            let from = number(index).saturating_mul(share);
            let expected = share.min(self.array.items.saturating_sub(from));
            (*index, Left { items: items_of(&bytes), expected, from })
        };
        Some(indices.iter().zip(found).map(left).collect())
    }
}

/// Returns the items that have ended according to a segment, with the failure of those without a value.
fn items_of(segment: &[u8]) -> BTreeMap<u64, Option<String>> {
    // A later run of the element may have tried an item again, so the last record of an item holds.
    let records = Records::new(segment, HEADER).filter_map(|record| match record.kind {
        RecordKind::Value => Some((record.index, None)),
        RecordKind::Failure => {
            let failure = codec::decode::<Failure>(segment.get(record.payload)?);
            let text =
                failure.map_or_else(|error| error.to_string(), |failure| failure.to_string());
            Some((record.index, Some(text)))
        }
        _ => None,
    });
    records.collect()
}

/// Returns the combined end of elements that no source reports, according to their segments.
fn left_by(cluster: &Cluster, edge: &Edge, missing: &[u32]) -> End {
    if missing.is_empty() || edge.element.is_none() && edge.ended_as == Some(JobState::Completed) {
        return End::Well;
    }
    let Some(segments) = Segments::of(cluster, edge) else { return End::Unknown };
    let bad = |item: u64| End::Badly(format!("failed: item {item}"));
    for batch in missing.chunks(AT_ONCE) {
        let Some(found) = segments.read(batch) else { return End::Unknown };
        for (_, left) in found {
            let wanted = edge.element.and_then(|element| element.item);
            match wanted.map(|item| (item, left.items.get(&item))) {
                Some((_, Some(None))) => {}
                Some((item, Some(Some(_)))) => return bad(item),
                Some((item, None)) => return End::Badly(format!("left no value of item {item}")),
                None => {
                    if let Some((item, _)) = left.items.iter().find(|(_, why)| why.is_some()) {
                        return bad(*item);
                    }
                    if !left.is_whole() {
                        return End::Badly("left no value of some items".to_owned());
                    }
                }
            }
        }
    }
    End::Well
}
