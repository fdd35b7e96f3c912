//! The results of an array as arguments of other jobs.

use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::options::DependencyKind;
use slurm_core::spec::{Attempt, Shares, Upstream};
use slurm_core::state::JobState;

use super::JobArray;
use crate::model::{Edge, EdgeElement};

/// Above this many elements, a submission depends on the whole array instead of listing them.
const MOST_ELEMENTS: usize = 50;

/// Elements as (attempt, index in that attempt).
pub(crate) type ElementSet = BTreeSet<(usize, u64)>;

/// What another submission needs to know about an array in order to wait for it and use its results.
#[derive(Clone, Debug)]
pub(crate) struct ArrayUpstream {
    pub(crate) submission_id: SubmissionId,
    pub(crate) upstream: Upstream,
    /// The numbers of the attempts that are not over.
    open: Vec<usize>,
    /// The place of the backend that runs the array.
    backend: String,
    /// The last time at which the queue certainly knew the array, unless it has been seen to end since.
    known_at: Option<Instant>,
    /// How it ended as a whole, if this process has seen that.
    ended_as: Option<JobState>,
    /// Whether it is a placeholder of a dry run or a plan.
    is_planned: bool,
}

impl<T> JobArray<T> {
    /// Returns a reference to the array for another submission. It does not include later attempts.
    pub(crate) fn reference(&self) -> Arc<ArrayUpstream> {
        let state = self.watch.state();
        let attempts = state.attempts.iter().map(|attempt| Attempt {
            dir: attempt.dir.path().to_owned(),
            shares: attempt.shares.clone(),
            parts: attempt.parts.iter().map(|part| (part.job, part.elements)).collect(),
        });
        let upstream = Upstream {
            task: self.handle.task.clone(),
            signature: self.handle.signature,
            count: self.handle.items,
            attempts: attempts.collect(),
        };
        let open: Vec<usize> = state.open().map(|(number, _)| number).collect();
        let lives = !open.is_empty() && state.attempts.len() == 1;
        let backend = self.cluster.backend().place();
        let submission_id = self.handle.submission_id.clone();
        let known_at = self.submitted_at.filter(|_| lives);
        let ended_as = open.is_empty().then(|| match state.failed().is_empty() {
            true => JobState::Completed,
            false => JobState::Failed,
        });
        let is_planned = self.cluster.is_planned();
        let plain = ArrayUpstream::new(submission_id, upstream, open, backend);
        Arc::new(ArrayUpstream { known_at, ended_as, is_planned, ..plain })
    }
}

impl ArrayUpstream {
    pub(crate) fn new(
        submission_id: SubmissionId,
        upstream: Upstream,
        open: Vec<usize>,
        backend: String,
    ) -> Self {
        let (known_at, ended_as, is_planned) = (None, None, false);
        Self { submission_id, upstream, open, backend, known_at, ended_as, is_planned }
    }

    /// Returns the dependency edges for the array.
    pub(crate) fn edges(&self, kind: DependencyKind) -> Vec<Edge> {
        let Some((latest, before)) = self.upstream.attempts.split_last() else { return Vec::new() };
        // Items that failed in an earlier attempt are in the latest one.
        let kind_before = match kind {
            DependencyKind::After => kind,
            _ => DependencyKind::AfterAny,
        };
        let open = before.iter().enumerate().filter(|(number, _)| self.open.contains(number));
        let before = open.flat_map(|(_, attempt)| self.whole(attempt, kind_before));
        self.whole(latest, kind).chain(before).collect()
    }

    /// Returns the dependency edge for one item, to the element that makes it in its latest attempt.
    ///
    /// Slurm 22.05 accepts elements that have not started. But it treats an element that is already cancelled
    /// as an unknown job and starts the new job, whose runner then finds no value.
    pub(crate) fn item_edge(&self, index: u64) -> Option<Edge> {
        let (attempt, number) = self.upstream.latest(index)?;
        // An element of several calls may fail although this item has a value. The runner checks the item.
        let kind = match attempt.shares.of_element_count(number) {
            1 => DependencyKind::AfterOk,
            _ => DependencyKind::AfterAny,
        };
        self.element_edge(attempt, number, Some(index), kind).map(Edge::carrying)
    }

    /// Adds the element that makes the item `index` in its latest attempt, unless there are too many elements.
    pub(super) fn note_element(&self, index: u64, elements: &mut ElementSet) {
        let attempts = self.upstream.attempts.iter().enumerate().rev();
        let element = |(number, attempt): (usize, &Attempt)| {
            Some((number, attempt.shares.element_of(index)?))
        };
        if elements.len() <= MOST_ELEMENTS {
            elements.extend(attempts.filter_map(element).take(1));
        }
    }

    /// Returns edges to elements that accept any end, because the runner decides item by item.
    pub(super) fn edges_to(&self, elements: &ElementSet) -> Vec<Edge> {
        if elements.len() > MOST_ELEMENTS {
            return self.edges(DependencyKind::AfterAny);
        }
        let edge = |(attempt, number): &(usize, u64)| {
            let attempt = self.upstream.attempts.get(*attempt)?;
            self.element_edge(attempt, *number, None, DependencyKind::AfterAny)
        };
        elements.iter().filter_map(edge).collect()
    }

    /// Returns the edges for retried items in the Slurm array `part` of `parts`: each waits until the item of
    /// the same index in this array has succeeded.
    pub(super) fn edges_again(&self, shares: &Shares, part: usize, parts: usize) -> Vec<Edge> {
        let Some(latest) = self.upstream.attempts.last() else { return Vec::new() };
        // Both submissions have the same number of items.
        let same = latest.shares.count == shares.count
            && latest.shares.per_element == shares.per_element
            && (latest.shares.selected.is_none() || latest.shares.selected == shares.selected);
        if same && latest.parts.len() == parts {
            return self.whole(latest, DependencyKind::AfterCorr).skip(part).take(1).collect();
        }
        let mut elements = ElementSet::new();
        for item in shares.selected.iter().flatten() {
            self.note_element(*item, &mut elements);
        }
        if elements.len() > MOST_ELEMENTS {
            return self.edges(DependencyKind::AfterAny);
        }
        let edge = |(attempt, number): &(usize, u64)| {
            let attempt = self.upstream.attempts.get(*attempt)?;
            self.element_edge(attempt, *number, None, self.success_of(attempt, *number))
        };
        elements.iter().filter_map(edge).collect()
    }

    /// Returns the dependency kind that means "element succeeded". If a later attempt re-ran some of its items,
    /// the element itself failed, so `afterok` cannot be used.
    fn success_of(&self, attempt: &Attempt, number: u64) -> DependencyKind {
        let is_latest = |item: &u64| {
            self.upstream.latest(*item).is_some_and(|(latest, _)| latest.dir == attempt.dir)
        };
        match attempt.shares.of_element(number).iter().all(is_latest) {
            true => DependencyKind::AfterOk,
            false => DependencyKind::AfterAny,
        }
    }

    fn whole(&self, attempt: &Attempt, kind: DependencyKind) -> impl Iterator<Item = Edge> {
        attempt.parts.iter().map(move |(job, _)| self.edge(attempt, *job, kind))
    }

    /// Returns the dependency edge for an element, or `None` if it was never submitted.
    fn element_edge(
        &self,
        attempt: &Attempt,
        number: u64,
        item: Option<u64>,
        kind: DependencyKind,
    ) -> Option<Edge> {
        let (job, index) = attempt.place(number)?;
        let element = Some(EdgeElement { index, number, item });
        Some(Edge { element, ..self.edge(attempt, job, kind) })
    }

    fn edge(&self, attempt: &Attempt, job: JobId, kind: DependencyKind) -> Edge {
        let (known_at, ended_as) = (self.known_at, self.ended_as.clone());
        let is_planned = self.is_planned;
        let edge = edge(&self.upstream, attempt, &self.backend, job, kind);
        Edge { known_at, ended_as, is_planned, ..edge }
    }

    /// Returns the position of `array` in `arrays`, and adds it if it is new.
    pub(crate) fn position(arrays: &mut Vec<Arc<Self>>, array: &Arc<Self>) -> u32 {
        let known = arrays.iter().position(|known| known.submission_id == array.submission_id);
        let position = known.unwrap_or_else(|| {
            arrays.push(Arc::clone(array));
            arrays.len() - 1
        });
        position as u32
    }
}

/// Returns edges to a whole attempt that accept any end, because the runner decides item by item.
pub(super) fn whole(upstream: &Upstream, attempt: &Attempt, backend: &str) -> Vec<Edge> {
    let kind = DependencyKind::AfterAny;
    let of_part = |(job, _): &(JobId, u64)| edge(upstream, attempt, backend, *job, kind).carrying();
    attempt.parts.iter().map(of_part).collect()
}

fn edge(
    upstream: &Upstream,
    attempt: &Attempt,
    backend: &str,
    job: JobId,
    kind: DependencyKind,
) -> Edge {
    Edge {
        kind,
        job,
        minutes: None,
        task: upstream.task.clone(),
        dir: attempt.dir.clone(),
        backend: backend.to_owned(),
        items: Some(upstream.count),
        carries_result: false,
        element: None,
        known_at: None,
        ended_as: None,
        elements: elements_of(attempt, job),
        is_planned: false,
    }
}

/// Returns the elements of the submission that are in the Slurm array `job`: the number of the first, and their
/// count.
fn elements_of(attempt: &Attempt, job: JobId) -> Option<(u64, u32)> {
    let mut first = 0;
    for (part, count) in &attempt.parts {
        if *part == job {
            return Some((first, u32::try_from(*count).ok()?));
        }
        first += count;
    }
    None
}

/// One item of an array, whose value can be an argument of another job.
///
/// [`JobArray::item`] returns one, and iterating over a `&JobArray` returns all. So `evaluate::map(&models)`
/// calls `evaluate` with the value of each item: element by element, if both arrays have the same shape.
pub struct ItemRef<T> {
    pub(crate) array: Arc<ArrayUpstream>,
    pub(crate) index: u64,
    value: PhantomData<fn() -> T>,
}

impl<T> ItemRef<T> {
    pub(crate) fn new(array: Arc<ArrayUpstream>, index: u64) -> Self {
        Self { array, index, value: PhantomData }
    }

    /// Returns the index of the item in the array.
    pub fn index(&self) -> usize {
        self.index as usize
    }
}

impl<T> Clone for ItemRef<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.array), self.index)
    }
}

impl<T> fmt::Debug for ItemRef<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemRef({} of {})", self.index, self.array.submission_id)
    }
}

impl<T> IntoIterator for &JobArray<T> {
    type Item = ItemRef<T>;
    type IntoIter = Items<T>;

    fn into_iter(self) -> Items<T> {
        let array = self.reference();
        let indices = 0..array.upstream.count;
        Items { array, indices, value: PhantomData }
    }
}

/// Iterator over the items of an array.
pub struct Items<T> {
    array: Arc<ArrayUpstream>,
    indices: Range<u64>,
    value: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Items").field(&self.indices).finish()
    }
}

impl<T> Iterator for Items<T> {
    type Item = ItemRef<T>;

    fn next(&mut self) -> Option<ItemRef<T>> {
        let index = self.indices.next()?;
        Some(ItemRef::new(Arc::clone(&self.array), index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.indices.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an array with `per_element` items in each element, whose items `again` were retried one by one.
    fn array(count: u64, per_element: u64, again: &[u64]) -> ArrayUpstream {
        let attempt = |number: u32, selected: Option<Vec<u64>>| {
            let count = selected.as_ref().map_or(count, |selected| selected.len() as u64);
            let per_element = if number == 1 { per_element } else { 1 };
            let shares = Shares { selected, count, per_element };
            let parts = vec![(JobId::new(number).unwrap(), shares.elements())];
            Attempt { dir: number.to_string().into(), shares, parts }
        };
        let attempts = vec![attempt(1, None), attempt(2, Some(again.to_vec()))];
        let upstream = Upstream { task: "task".to_owned(), signature: 0, count, attempts };
        ArrayUpstream::new(
            "20261123_094611_0a1b2c3d".parse().unwrap(),
            upstream,
            vec![],
            "local".to_owned(),
        )
    }

    fn waits(array: &ArrayUpstream, selected: Vec<u64>) -> Vec<String> {
        let count = selected.len() as u64;
        let shares = Shares { selected: Some(selected), count, per_element: 1 };
        let edges = array.edges_again(&shares, 0, 1).into_iter();
        edges.map(|edge| format!("{}:{}", edge.kind, edge.target())).collect()
    }

    #[test]
    fn retried_items_wait_for_the_items_of_the_same_indices() {
        let one_each = array(100, 1, &[3, 5]);
        assert_eq!(waits(&one_each, vec![3, 5]), ["aftercorr:2"]);
        assert_eq!(waits(&one_each, vec![3, 5, 7]), ["afterok:1_7", "afterok:2_0", "afterok:2_1"]);
        assert_eq!(waits(&one_each, (0..60).collect()), ["afterany:2"]);
        // The element of the items 0 to 3 has failed, with or without a value for item 2.
        let shared = array(100, 4, &[3, 5]);
        assert_eq!(waits(&shared, vec![2, 3, 9]), ["afterany:1_0", "afterok:1_2", "afterok:2_0"]);
    }
}
