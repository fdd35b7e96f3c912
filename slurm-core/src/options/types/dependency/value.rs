//! The parts of a dependency, and how they are written.

use std::fmt;

use crate::options::grammar::{typed, write_list};
use crate::options::types::array::ArrayRange;

/// The conditions on other jobs under which a job may start.
///
/// Items joined by `,` (all of them) or by `?` (any of them), never mixed: up to 25.05 the
/// controller silently reads a mixture as "any". An item is `singleton`, `type:job[:job…]`, or a
/// bare job id, which means `afterany` and must come last. A job is `id`, `id_index`, `id_*` or
/// `id_[1-3,5]`, each with `+minutes` for `after`.
///
/// Only the controller checks this value.
/// Slurm's source: `update_job_dependency` in `src/slurmctld/job_scheduler.c`;
/// `_parse_dependency_str` from 25.11 on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Dependency {
    /// Whether one item is enough (`?`) or all are needed (`,`).
    pub any: bool,
    /// The items in the order written.
    pub items: Vec<DependencyItem>,
}

/// One item of a [`Dependency`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DependencyItem {
    /// No other job of this user with the same name is running.
    Singleton,
    /// The state of other jobs.
    Jobs {
        /// The event that is waited for.
        kind: DependencyKind,
        /// Which jobs; never empty.
        jobs: Vec<JobReference>,
    },
}

/// The event in the life of a job that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DependencyKind {
    /// It started or was cancelled.
    After,
    /// It ended.
    AfterAny,
    /// Its burst buffer staged out.
    AfterBurstBuffer,
    /// The task of the same index of that array succeeded.
    AfterCorr,
    /// It failed.
    AfterNotOk,
    /// It succeeded.
    AfterOk,
    /// This job extends its allocation (needs `permit_job_expansion`).
    Expand,
}

crate::word_enum!(DependencyKind, "kind of dependency", {
    After: "after",
    AfterAny: "afterany",
    AfterBurstBuffer: "afterburstbuffer",
    AfterCorr: "aftercorr",
    AfterNotOk: "afternotok",
    AfterOk: "afterok",
    Expand: "expand",
});

/// Which job, and which task of it when it is an array.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JobReference {
    /// The job's id.
    pub id: u32,
    /// The index in a job array.
    pub index: ArrayIndex,
    /// Minutes to wait after the event; only `after` takes them.
    pub minutes: Option<u32>,
}

/// The part of a job array that a [`JobReference`] means.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ArrayIndex {
    /// The job, with all tasks if it is an array.
    Whole,
    /// All tasks, written `_*`.
    All,
    /// One task.
    One(u32),
    /// Several tasks, written `_[1-3,5]`.
    List(Vec<ArrayRange>),
}

typed!(Dependency, super::GRAMMAR);

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, if self.any { "?" } else { "," }, &self.items)
    }
}

impl fmt::Display for DependencyItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Singleton => f.write_str("singleton"),
            Self::Jobs { kind, jobs } => {
                write!(f, "{}:", kind.as_str())?;
                write_list(f, ":", jobs)
            }
        }
    }
}

impl fmt::Display for JobReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id)?;
        match &self.index {
            ArrayIndex::Whole => {}
            ArrayIndex::All => f.write_str("_*")?,
            ArrayIndex::One(index) => write!(f, "_{index}")?,
            ArrayIndex::List(ranges) => {
                f.write_str("_[")?;
                write_list(f, ",", ranges)?;
                f.write_str("]")?;
            }
        }
        match self.minutes {
            Some(minutes) => write!(f, "+{minutes}"),
            None => Ok(()),
        }
    }
}
