//! One submission of an array's items, and its elements.

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Failure, RunReport};
use slurm_core::spec::Shares;

use crate::backend::Indices;
use crate::conclude::Entered;
use crate::poll::{End, Fate};

/// One submission of items: all of them, or the failed ones of earlier attempts.
#[derive(Debug)]
pub(in crate::array) struct Attempt {
    pub(in crate::array) dir: JobDir,
    pub(in crate::array) shares: Shares,
    pub(in crate::array) parts: Vec<Part>,
    pub(super) elements: Vec<Element>,
    /// The number of elements with items that have not ended.
    pub(super) open: usize,
    /// The items whose end is recorded, or that a later attempt is known to make.
    pub(super) counted: Counted,
}

/// A bit for each item of an attempt, by its position there.
#[derive(Debug)]
pub(super) struct Counted(Vec<u64>);

impl Counted {
    fn new(shares: &Shares) -> Self {
        Self(vec![0; (shares.count as usize).div_ceil(BITS)])
    }

    /// Counts an item. Returns whether it is new; false for an item that the attempt does not have.
    pub(super) fn insert(&mut self, shares: &Shares, item: u64) -> bool {
        let Some((word, bit)) = place(shares, item) else { return false };
        let Some(word) = self.0.get_mut(word) else { return false };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    pub(super) fn contains(&self, shares: &Shares, item: u64) -> bool {
        let found = place(shares, item).and_then(|(word, bit)| Some(self.0.get(word)? & bit != 0));
        found.unwrap_or_default()
    }
}

const BITS: usize = u64::BITS as usize;

/// Returns the position of an item's bit: the word and the mask.
fn place(shares: &Shares, item: u64) -> Option<(usize, u64)> {
    let position = shares.position_of(item)? as usize;
    Some((position / BITS, 1 << (position % BITS)))
}

/// A Slurm array.
#[derive(Clone, Copy, Debug)]
pub(in crate::array) struct Part {
    pub(in crate::array) job: JobId,
    pub(in crate::array) first: u64,
    pub(in crate::array) elements: u64,
}

/// A Slurm array task.
#[derive(Debug, Default)]
pub(in crate::array) struct Element {
    /// Whether its segment exists.
    pub(super) listed: bool,
    /// The number of bytes of the segment that were read.
    pub(super) offset: u64,
    /// The number of its items that have not ended.
    pub(super) open: u64,
    pub(super) fate: Fate,
    pub(in crate::array) run: Option<RunReport>,
    pub(in crate::array) end: Option<End>,
    pub(in crate::array) damaged: Option<String>,
    /// The item that panicked last, and its failure without the stack.
    pub(in crate::array) panicked: Option<(u64, Failure)>,
    /// Whether the segment ends within a record.
    pub(in crate::array) torn: bool,
}

impl Element {
    /// Returns the last run in which the runner reached the task.
    pub(in crate::array) fn entered(&self) -> Option<Entered> {
        let run = self.run.as_ref().map_or(0, |run| run.restart_count);
        self.listed.then(|| Entered { run, has_exited: self.fate.has_all_files() })
    }
}

impl Element {
    /// Returns why the segment of a run that ended by itself is incomplete, or `None` if it is complete.
    pub(in crate::array) fn cut(&self) -> Option<&'static str> {
        if self.torn {
            Some("cut: its segment ends within a record")
        } else if self.listed && !self.fate.has_all_files() {
            Some(
                "cut: its segment lacks the record that ends a run; it was damaged, or the task ended the process by `_exit`",
            )
        } else {
            None
        }
    }
}

impl Attempt {
    pub(in crate::array) fn new(dir: JobDir, shares: Shares, parts: &[(JobId, u64)]) -> Self {
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
        let counted = Counted::new(&shares);
        Self { dir, open: elements.len(), shares, parts, elements, counted }
    }

    /// Returns the Slurm array of an element, and the element's index in it.
    pub(in crate::array) fn place(&self, element: u64) -> Option<(JobId, u32)> {
        let has = |part: &&Part| (part.first..part.first + part.elements).contains(&element);
        let part = self.parts.iter().find(has)?;
        Some((part.job, (element - part.first) as u32))
    }

    /// Returns the indices of the elements of a Slurm array that have items without an end.
    pub(in crate::array) fn open_in(&self, part: &Part) -> Indices {
        let of_part = self.elements.iter().skip(part.first as usize).take(part.elements as usize);
        let open = (0..).zip(of_part).filter(|(_, element)| element.open > 0);
        ranges(open.map(|(index, _)| index))
    }

    pub(in crate::array) fn element(&self, element: u64) -> Option<&Element> {
        self.elements.get(element as usize)
    }
}

/// Returns ascending indices as inclusive ranges.
pub(in crate::array) fn ranges(indices: impl Iterator<Item = u32>) -> Indices {
    let mut ranges = Indices::new();
    for index in indices {
        match ranges.last_mut() {
            Some((_, last)) if index <= last.saturating_add(1) => *last = index,
            _ => ranges.push((index, index)),
        }
    }
    ranges
}
