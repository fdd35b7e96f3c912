//! The input of the runner.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::frame::FrameKind;
use crate::framed::framed;
use crate::ids::{JobId, SubmissionId};
use crate::outcome::MissingItem;
use crate::requeue::RequeuePolicy;

pub use crate::framed::ReadError;

/// The input of the runner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The submission.
    pub submission_id: SubmissionId,
    /// What to do.
    pub work: Work,
    /// The arrays whose results are arguments.
    pub upstream: Vec<Upstream>,
    /// Whether and how the job may be requeued.
    pub requeue: RequeuePolicy,
    /// The elements of an array that must not make their calls.
    pub refused: Vec<Refused>,
}

/// An element that must not make its calls, because the element of another array that it follows did not succeed.
///
/// Slurm decides that while it knows the other array; here it had forgotten it when this one was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its number among all elements of the submission.
    pub element: u64,
    /// An item without a value of the other element.
    pub missing: MissingItem,
}

/// The work of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// One call, with the arguments in the order of the parameters.
    Call(Vec<Argument>),
    /// Many calls, shared out among the elements of an array.
    Items(Items),
}

/// The calls of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items {
    /// The item file; see [`items`](crate::items).
    pub file: PathBuf,
    /// How many items the file has.
    pub count: u64,
    /// Where the file's table begins.
    pub table: u64,
    /// Which items an element makes.
    pub shares: Shares,
    /// How many of its items an element makes at the same time.
    pub threads: u32,
}

/// How items are shared out among elements: element `n` has `per_element` of them, from
/// `n * per_element` on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shares {
    /// The indices of the items, ascending, or `None` for all items of the array.
    pub selected: Option<Vec<u64>>,
    /// How many items there are to share out.
    pub count: u64,
    /// How many an element has; at least one.
    pub per_element: u64,
}

impl Shares {
    /// Returns how many elements there are.
    pub fn elements(&self) -> u64 {
        self.count.div_ceil(self.per_element.max(1))
    }

    /// Returns the indices of the items of an element.
    pub fn of_element(&self, element: u64) -> Vec<u64> {
        let (first, last) = self.positions(element);
        match &self.selected {
            None => (first..last).collect(),
            Some(selected) => {
                selected.get(first as usize..last as usize).unwrap_or_default().to_vec()
            }
        }
    }

    /// Returns how many items an element has.
    pub fn of_element_count(&self, element: u64) -> u64 {
        let (first, last) = self.positions(element);
        last - first
    }

    fn positions(&self, element: u64) -> (u64, u64) {
        let first = element.saturating_mul(self.per_element).min(self.count);
        (first, first.saturating_add(self.per_element).min(self.count))
    }

    /// Returns the element that has the item `index`.
    pub fn element_of(&self, index: u64) -> Option<u64> {
        self.position_of(index).map(|position| position / self.per_element.max(1))
    }

    /// Returns the position of the item `index` among the items that are shared out.
    pub fn position_of(&self, index: u64) -> Option<u64> {
        let position = match &self.selected {
            None => index,
            Some(selected) => selected.binary_search(&index).ok()? as u64,
        };
        (position < self.count).then_some(position)
    }
}

/// Where the results of an array are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Upstream {
    /// The name of its task.
    pub task: String,
    /// The hash of its task's parameter and return types.
    pub signature: u64,
    /// How many items it has.
    pub count: u64,
    /// The attempts to make them, the latest last; see [`segment`](crate::segment).
    pub attempts: Vec<Attempt>,
}

/// One attempt to make the items of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The directory of its submission.
    pub dir: PathBuf,
    /// Which element has which items.
    pub shares: Shares,
    /// The Slurm arrays that it consists of, with the number of elements of each.
    pub parts: Vec<(JobId, u64)>,
}

impl Upstream {
    /// Returns the latest attempt to make the item `index`, and its element there.
    pub fn latest(&self, index: u64) -> Option<(&Attempt, u64)> {
        let mut attempts = self.attempts.iter().rev();
        attempts.find_map(|attempt| Some((attempt, attempt.shares.element_of(index)?)))
    }
}

impl Attempt {
    /// Returns the Slurm array that an element is in, and its index there; `None` if it was never submitted.
    pub fn place(&self, element: u64) -> Option<(JobId, u32)> {
        let mut first = 0;
        for (job, elements) in &self.parts {
            let after: u64 = elements.saturating_add(first);
            if element < after {
                return Some((*job, u32::try_from(element - first).ok()?));
            }
            first = after;
        }
        None
    }
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Argument {
    /// The encoded value itself.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The value that another job returns: the path of its outcome.
    ResultOf(PathBuf),
    /// All values of an array, as a list: its position among [`Spec::upstream`].
    AllOf(u32),
    /// One value of an array: its position among [`Spec::upstream`], and the index of the item.
    ItemOf(u32, u64),
}

framed!(Spec, FrameKind::Spec);
