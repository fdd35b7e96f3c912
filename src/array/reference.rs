//! The results of an array as arguments of other jobs.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use slurm_core::ids::PreId;
use slurm_core::options::DependencyKind;
use slurm_core::spec::Upstream;

use super::JobArray;
use crate::edges::Edge;

/// What another submission has to know of an array to wait for it and to use its results.
#[derive(Clone, Debug)]
pub(crate) struct ArrayRef {
    pub(crate) pre_id: PreId,
    pub(crate) upstream: Upstream,
    /// One for each Slurm array of the latest attempt, with the kind `afterok`.
    edges: Vec<Edge>,
    /// Those of earlier attempts that are not over, with the kind `afterany`: what failed there is in the
    /// latest one.
    earlier: Vec<Edge>,
}

impl ArrayRef {
    pub(crate) fn new(
        pre_id: PreId,
        upstream: Upstream,
        edges: Vec<Edge>,
        earlier: Vec<Edge>,
    ) -> Self {
        Self { pre_id, upstream, edges, earlier }
    }

    /// Returns what it is to wait for the array.
    pub(crate) fn edges(&self, kind: DependencyKind) -> Vec<Edge> {
        let kind = kind.as_str();
        let latest = self.edges.iter().map(|edge| Edge { kind: kind.to_owned(), ..edge.clone() });
        latest.chain(self.earlier.iter().cloned()).collect()
    }

    /// Returns what it is to wait for one item.
    pub(crate) fn item_edges(&self, _index: u64) -> Vec<Edge> {
        // All of the array: Slurm cannot be asked for less than an element, and 22.05 takes an element that
        // it has not started yet for an unknown job.
        self.edges(DependencyKind::AfterOk).into_iter().map(Edge::carrying).collect()
    }

    /// Returns the position of `array` among `arrays`, to which it is added if it is new.
    pub(crate) fn position(arrays: &mut Vec<Arc<Self>>, array: &Arc<Self>) -> u32 {
        let known = arrays.iter().position(|known| known.pre_id == array.pre_id);
        let position = known.unwrap_or_else(|| {
            arrays.push(Arc::clone(array));
            arrays.len() - 1
        });
        position as u32
    }
}

/// One item of an array, whose value can be an argument of another job.
///
/// [`JobArray::item`] gives one, and iterating over a `&JobArray` gives all, so that `evaluate::map(&models)`
/// calls `evaluate` with the value of each item: element by element, if both arrays have the same shape.
pub struct ItemRef<T> {
    pub(crate) array: Arc<ArrayRef>,
    pub(crate) index: u64,
    value: PhantomData<fn() -> T>,
}

impl<T> ItemRef<T> {
    pub(crate) fn new(array: Arc<ArrayRef>, index: u64) -> Self {
        Self { array, index, value: PhantomData }
    }

    /// Returns its position in the array.
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
        write!(f, "ItemRef({} of {})", self.index, self.array.pre_id)
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

/// The items of an array, from the first on.
pub struct Items<T> {
    array: Arc<ArrayRef>,
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
