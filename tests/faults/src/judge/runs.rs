//! No call runs twice unless a requeue or a retry said so, and never twice at the same time.

use super::Evidence;
use super::excuses::{may_be_requeued, was_damaged, was_killed};
use crate::ledger::{Line, What};
use crate::plan::{Call, Deed, Plan, Unit, Work};

pub(super) fn wrong(plan: &Plan, evidence: &Evidence) -> Vec<String> {
    let mut violations = Vec::new();
    for unit in &plan.units {
        for call in unit.work.calls() {
            for rank in 0..call.ranks as usize {
                let lines = evidence.lines(&call.name).iter().filter(|line| line.rank == rank);
                let runs = runs(lines.collect());
                for pair in runs.windows(2) {
                    violations.extend(twice(evidence, unit, call, &pair[0], &pair[1]));
                }
            }
        }
    }
    violations
}

/// One run of a process of a call.
struct Run<'a> {
    began: &'a Line,
    ended: Option<&'a Line>,
}

fn runs(lines: Vec<&Line>) -> Vec<Run<'_>> {
    let began = lines.iter().filter(|line| line.what == What::Began);
    let mut runs: Vec<Run<'_>> = began
        .map(|began| {
            let same = |line: &&&Line| {
                (line.pid, line.job, line.restart) == (began.pid, began.job, began.restart)
                    && line.what != What::Began
            };
            Run { began, ended: lines.iter().find(same).copied() }
        })
        .collect();
    runs.sort_by_key(|run| run.began.at);
    runs
}

fn twice(
    evidence: &Evidence,
    unit: &Unit,
    call: &Call,
    first: &Run<'_>,
    second: &Run<'_>,
) -> Option<String> {
    let tell = |why: &str| {
        Some(format!("{} ran twice: {why}: {:?}, {:?}", call.name, first.began, second.began))
    };
    if first.ended.is_some_and(|ended| ended.at > second.began.at) {
        return tell("both at the same time");
    }
    let (one, other) = (first.began, second.began);
    if one.job == other.job {
        if other.restart <= one.restart {
            return tell("in the same run of its job");
        }
        let asks = matches!(call.deed, Deed::Requeue(_) | Deed::Checkpoint(_));
        let limit = matches!(call.deed, Deed::Checkpoint(_)) && first.ended.is_none();
        let asked = first.ended.is_some_and(|ended| ended.what == What::Requeued);
        let by_slurm = may_be_requeued(evidence);
        return if by_slurm || asks && (asked || limit) {
            None
        } else {
            tell("nobody has requeued it")
        };
    }
    let again = evidence.was_tried_again(unit);
    let without_value = first.ended.is_none_or(|ended| ended.what != What::Returned)
        || was_killed(evidence, unit, call)
        || was_damaged(evidence, unit, call).is_some()
        || matches!(&unit.work, Work::Flow { call: flow, .. } if flow.name == call.name);
    if again && without_value { None } else { tell("as two jobs") }
}
