//! The errors that are allowed for a call: those of its own work, and those of a fault that hit this call.

mod commands;
mod faults;
mod own;

use super::reach::Case;
use crate::client::{Kind, Verdict};
use crate::plan::{Call, Deed, Unit};

/// An error that a client got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) kind: Kind,
    pub(super) text: String,
    /// The job that it tells of, unless that is an element of an array.
    pub(super) job: Option<u32>,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<i32>,
}

impl Answer {
    /// Returns the error of a verdict, if it is one.
    pub(super) fn of(verdict: &Verdict) -> Option<Self> {
        let Verdict::Error { kind, text, exit_code, signal } = verdict.clone() else { return None };
        Some(Self { kind, job: job_in(&text), text, exit_code, signal })
    }

    /// Whether the error says that the process ended with this exit code.
    fn says(&self, code: i32) -> bool {
        self.exit_code == Some(code) && self.signal.is_none()
    }

    /// Whether the error has neither an exit code nor a signal.
    fn says_no_exit(&self) -> bool {
        self.exit_code.is_none() && self.signal.is_none()
    }

    fn names_the_disk(&self) -> bool {
        self.text.contains("No space left") || self.text.contains("disk is full")
    }
}

/// Returns the job that an error names, or nothing for an item of an array.
fn job_in(text: &str) -> Option<u32> {
    text.strip_prefix("job ")?.split(' ').next()?.parse().ok()
}

/// Whether an error of a call has an explanation.
pub(super) fn is_true(case: Case<'_>, answer: &Answer) -> bool {
    // `NotStarted` says that no run has reached the task.
    if answer.kind == Kind::NotStarted && case.began_in(answer.job) {
        return false;
    }
    own::explains(case, answer) || faults::explain(case, answer) || commands::explain(case, answer)
}

/// Whether a call can have a value according to the plan.
pub(super) fn can_succeed(unit: &Unit, call: &Call) -> bool {
    let inputs = unit.work.inputs(&call.name);
    let own = matches!(
        call.deed,
        Deed::Return | Deed::Requeue(_) | Deed::Checkpoint(_) | Deed::HalfWay(_) | Deed::Background
    );
    own && inputs.into_iter().all(|input| can_succeed(unit, input))
}
