//! Compares the verdicts of clients with the injected faults and the ledger of runs.

mod evidence;
mod excuses;
mod logs;
mod reach;
mod runs;
#[cfg(test)]
mod tests;
mod traces;
mod verdicts;

use crate::plan::Plan;
pub(crate) use evidence::Evidence;

/// Returns a sentence for each violation.
pub(crate) fn judge(plan: &Plan, evidence: &Evidence) -> Vec<String> {
    let mut violations = verdicts::wrong(plan, evidence);
    violations.extend(runs::wrong(plan, evidence));
    violations.extend(logs::wrong(plan, evidence));
    violations.extend(traces::wrong(plan, evidence));
    violations
}
