//! The texts that followers have read from the logs of jobs.

use super::Evidence;
use crate::client::{Kind, Note};
use crate::inject::Target;
use crate::plan::{Plan, Work};

pub(super) fn wrong(plan: &Plan, evidence: &Evidence) -> Vec<String> {
    // Lines that were written while the disk was full are lost.
    let full = evidence.hits(|hit| matches!(hit, Target::Disk)).next().is_some();
    let mut violations = Vec::new();
    for (client, notes) in &evidence.notes {
        for note in notes.iter().map(|noted| &noted.note) {
            match note {
                Note::Shrunk { call, from, to } if !is_retried(plan, evidence, call) => {
                    violations.push(format!("{client} read {from:?} of {call}, and later {to:?}"));
                }
                Note::Read { call, text } => {
                    let has_value = evidence.told(call).iter().any(|told| told.kind().is_none())
                        && !is_retried(plan, evidence, call);
                    let lines = [format!("{call} begins"), format!("{call} returns")];
                    let is_there = |line: &String| text.lines().any(|other| other == line);
                    if has_value && !full && !is_flow(plan, call) && !lines.iter().all(is_there) {
                        violations
                            .push(format!("{client} read of {call}, which returned: {text:?}"));
                    }
                }
                _ => {}
            }
        }
    }
    violations
}

/// Whether the call is a workflow. A workflow prints nothing.
fn is_flow(plan: &Plan, call: &str) -> bool {
    plan.units
        .iter()
        .any(|unit| matches!(&unit.work, Work::Flow { call: flow, .. } if flow.name == call))
}

/// Whether a call was retried. It then runs in another job with a log of its own.
fn is_retried(plan: &Plan, evidence: &Evidence, call: &str) -> bool {
    let mut units = plan.units.iter();
    let unit = units.find(|unit| unit.work.calls().iter().any(|one| one.name == call));
    let failed = || {
        evidence
            .told(call)
            .iter()
            .any(|told| told.kind().is_some_and(|kind| kind != Kind::Cancelled))
    };
    unit.is_some_and(|unit| evidence.tried_again_at(unit).is_some()) && failed()
}
