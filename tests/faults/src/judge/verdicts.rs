//! Every call ends in its value or in an error that is true.

use super::Evidence;
use super::excuses::{can_succeed, is_true, was_damaged};
use crate::client::{Kind, Note, Verdict};
use crate::plan::{Call, Plan, Unit};

pub(super) fn wrong(plan: &Plan, evidence: &Evidence) -> Vec<String> {
    let mut violations = Vec::new();
    for unit in &plan.units {
        for (part, calls) in unit.work.parts().into_iter().enumerate() {
            violations.extend(submission(evidence, unit, part, &calls));
            for call in calls {
                violations.extend(of_call(evidence, unit, part, call));
            }
        }
    }
    violations
}

/// Checks the verdicts on a submission itself.
fn submission(evidence: &Evidence, unit: &Unit, part: usize, calls: &[&Call]) -> Vec<String> {
    let mut violations = Vec::new();
    for note in evidence.all_notes() {
        let Note::NotSubmitted { unit: of, part: which, verdict } = note else { continue };
        let Verdict::Error { kind, text } = verdict else { continue };
        if *of != unit.name || *which != part {
            continue;
        }
        if !calls.iter().any(|call| is_true(evidence, unit, call, *kind, text)) {
            violations.push(format!("{of}, part {part}, is not submitted: {kind:?}: {text}"));
        }
        let ran = calls.iter().find(|call| evidence.began(&call.name));
        if let (Some(call), Kind::Refused | Kind::NoJob) = (ran, kind) {
            violations.push(format!("{of} has no job, its client was told, but {} ran", call.name));
        }
    }
    violations
}

fn of_call(evidence: &Evidence, unit: &Unit, part: usize, call: &Call) -> Vec<String> {
    let mut violations = Vec::new();
    let told = evidence.told(&call.name);
    for (client, verdict) in &told {
        if let Some(problem) = problem(evidence, unit, part, call, verdict) {
            violations.push(format!("{client} was told of {}: {problem}", call.name));
        }
    }
    let was_submitted = evidence.all_notes().any(|note| {
        matches!(note, Note::Submitted { unit: of, part: which, .. } if *of == unit.name && *which == part)
    });
    if was_submitted && !told.iter().any(|(client, _)| *client == "last") {
        violations.push(format!("nobody could tell of {} in the end", call.name));
    }
    if evidence.was_tried_again(unit) || was_damaged(evidence, unit, call).is_some() {
        return violations;
    }
    // Nothing changes once it is known.
    let kind = |verdict: &Verdict| match verdict {
        Verdict::Value(_) => None,
        Verdict::Error { kind, .. } => Some(*kind),
    };
    if let Some((first, rest)) = told.split_first() {
        for other in rest {
            if kind(first.1) != kind(other.1) {
                violations.push(format!(
                    "of {}, {} was told {:?} and {} {:?}",
                    call.name, first.0, first.1, other.0, other.1
                ));
            }
        }
    }
    violations
}

fn problem(
    evidence: &Evidence,
    unit: &Unit,
    part: usize,
    call: &Call,
    verdict: &Verdict,
) -> Option<String> {
    match verdict {
        Verdict::Value(value) => {
            let expected = unit.work.value(call);
            if *value != expected {
                Some(format!("the value {value} for {expected}"))
            } else if !can_succeed(unit, call) {
                Some("a value, though it was to fail".to_owned())
            } else if !evidence.returned(call) {
                Some("a value, though not all of its processes have returned".to_owned())
            } else {
                None
            }
        }
        Verdict::Error { kind: Kind::NoSuchJob, .. }
            if evidence.is_open(&unit.name, part) && !evidence.began(&call.name) =>
        {
            None
        }
        Verdict::Error { kind, text } => {
            let true_ = is_true(evidence, unit, call, *kind, text);
            (!true_).then(|| format!("{kind:?}, which is not so: {text}"))
        }
    }
}
