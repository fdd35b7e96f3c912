//! Checks that no call runs twice without a requeue or a retry, and never twice at the same time.

use super::Evidence;
use super::reach::Case;
use crate::ledger::{Line, What};
use crate::plan::{Deed, Plan, Work};

pub(super) fn wrong(plan: &Plan, evidence: &Evidence) -> Vec<String> {
    let mut violations = Vec::new();
    for unit in &plan.units {
        for call in unit.work.calls() {
            for rank in 0..call.ranks as usize {
                let lines = evidence.lines(&call.name).iter().filter(|line| line.rank == rank);
                let runs = runs(lines.collect());
                for pair in runs.windows(2) {
                    let case = Case { plan, evidence, unit, call, at: pair[1].began.at };
                    violations.extend(twice(case, &pair[0], &pair[1]));
                }
            }
        }
    }
    violations
}

/// A run of one process of a call.
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

/// Returns the violation by a second run of a call, if it is one. The case has the time at which the second run
/// began.
fn twice(case: Case<'_>, first: &Run<'_>, second: &Run<'_>) -> Option<String> {
    let Case { evidence, unit, call, .. } = case;
    let tell = |why: &str| {
        Some(format!("{} ran twice: {why}: {:?}, {:?}", call.name, first.began, second.began))
    };
    if first.ended.is_some_and(|ended| ended.at > second.began.at) {
        return tell("both at the same time");
    }
    let (one, other) = (first.began, second.began);
    if one.job == other.job {
        // The run was killed, and the journal has lost its end.
        let was_killed = case.kills().any(|pid| pid == one.pid) && first.ended.is_none();
        if was_killed && case.lost_lines().is_some() && other.restart == one.restart {
            return None;
        }
        if other.restart <= one.restart {
            return tell("in the same run of its job");
        }
        // Slurm may have lost the run and requeued its job.
        if case.daemon_was_away(|name| name == "slurmctld" || name.starts_with("slurmd-")) {
            return None;
        }
        // If one item asks for a requeue, its element runs again without the items that have ended. If one
        // process asks, all processes of the job run again.
        let in_it = |line: &&Line| {
            (line.job, line.restart, line.what) == (one.job, one.restart, What::Requeued)
        };
        let calls = unit.work.calls();
        let asked = calls.iter().flat_map(|call| evidence.lines(&call.name)).find(in_it).is_some();
        let open = first.ended.is_none_or(|ended| ended.what == What::Requeued);
        let may = open
            && match call.deed {
                Deed::Requeue(times) => asked && other.restart <= times,
                Deed::HalfWay(_) => asked && other.restart <= 1,
                Deed::Checkpoint(_) => true,
                _ => asked && call.ranks == 1,
            };
        return if may { None } else { tell("without a requeue") };
    }
    let again = evidence.tried_again_at(unit).is_some_and(|again| again <= other.at);
    let had_no_value = match &unit.work {
        // The workflow itself runs again to find the values of its children.
        Work::Flow { call: flow, .. } if flow.name == call.name => true,
        Work::Flow { .. } => {
            first.ended.is_none_or(|ended| ended.what != What::Returned)
                || case.kills().next().is_some()
                || case.is_damaged()
                || case.met_a_full_disk()
        }
        _ => {
            let told = evidence.told(&call.name);
            told.iter().any(|told| told.at <= other.at && told.kind().is_some())
        }
    };
    if again && had_no_value { None } else { tell("as two jobs") }
}
