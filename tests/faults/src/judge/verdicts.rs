//! Checks that every call ends in its value, or in an error that has an explanation.

use super::Evidence;
use super::evidence::Told;
use super::excuses::{Answer, can_succeed, is_true};
use super::reach::{Case, SLACK};
use crate::client::{Kind, Note, Verdict};
use crate::plan::{Call, Damage, Plan, Unit, Work};

pub(super) fn wrong(plan: &Plan, evidence: &Evidence) -> Vec<String> {
    let mut violations = Vec::new();
    for unit in &plan.units {
        for (part, calls) in unit.work.parts().into_iter().enumerate() {
            violations.extend(submission(plan, evidence, unit, part, &calls));
            for call in calls {
                let case = Case { plan, evidence, unit, call, at: u64::MAX };
                violations.extend(of_call(case, part));
            }
        }
    }
    violations
}

/// Checks the errors of the submission of this part.
fn submission(
    plan: &Plan,
    evidence: &Evidence,
    unit: &Unit,
    part: usize,
    calls: &[&Call],
) -> Vec<String> {
    let mut violations = Vec::new();
    for noted in evidence.all_notes() {
        let Note::NotSubmitted { unit: of, part: which, verdict } = &noted.note else { continue };
        let Some(answer) = Answer::of(verdict).filter(|_| *of == unit.name && *which == part)
        else {
            continue;
        };
        let case = |call| Case { plan, evidence, unit, call, at: noted.at };
        if !calls.iter().any(|call| is_true(case(call), &answer)) {
            let Answer { kind, text, .. } = &answer;
            violations.push(format!("{of}, part {part}, was not submitted: {kind:?}: {text}"));
        }
        let ran = calls.iter().find(|call| evidence.began(&call.name));
        let denies = matches!(answer.kind, Kind::Refused | Kind::NoJob | Kind::DependencyFailed);
        if let Some(call) = ran.filter(|_| denies) {
            violations
                .push(format!("the error of {of} says that it has no job, but {} ran", call.name));
        }
    }
    violations
}

fn of_call(case: Case<'_>, part: usize) -> Vec<String> {
    let Case { evidence, unit, call, .. } = case;
    let mut violations = Vec::new();
    let mut told = evidence.told(&call.name);
    told.sort_by_key(|told| told.at);
    for one in &told {
        if let Some(problem) = problem(Case { at: one.at, ..case }, part, one.verdict) {
            violations.push(format!("{} got for {}: {problem}", one.client, call.name));
        }
    }
    let was_submitted = evidence.all_notes().any(|noted| {
        matches!(&noted.note, Note::Submitted { unit: of, part: which, .. } if *of == unit.name && *which == part)
    });
    if was_submitted && !told.iter().any(|told| told.client == "last") {
        violations.push(format!("the last client has no verdict on {}", call.name));
    }
    for (place, first) in told.iter().enumerate() {
        for later in &told[place + 1..] {
            if !may_follow(case, first, later) {
                violations.push(format!(
                    "for {}, {} got {:?} and then {} got {:?}",
                    call.name,
                    first.client,
                    first.kind(),
                    later.client,
                    later.kind()
                ));
            }
        }
    }
    violations
}

/// Whether a client may get the later verdict after the first. Verdicts that are final do not change.
fn may_follow(case: Case<'_>, first: &Told<'_>, later: &Told<'_>) -> bool {
    let (one, other) = (first.kind(), later.kind());
    let open = |kind: Option<Kind>| {
        matches!(
            kind,
            Some(Kind::Unclear | Kind::Unknown | Kind::NoJob | Kind::Ssh | Kind::NoSuchJob)
        )
    };
    if one == other || open(one) || open(other) || first.resumed != later.resumed {
        return true;
    }
    // The items of an array that have no value run again.
    let again = matches!(case.unit.work, Work::Array { .. })
        && case.evidence.tried_again_at(case.unit).is_some_and(|again| again <= later.at);
    // A client keeps the values of an array that it has read, and tells of all items together.
    let returned_at = case.evidence.returned_at(case.call);
    let was_read = |damaged_at| returned_at.is_some_and(|at| at <= damaged_at);
    let damaged = || {
        let case = Case { at: later.at, ..case };
        [Damage::Result, Damage::Segment, Damage::Spec]
            .into_iter()
            .flat_map(|kind| case.damages(kind))
            .any(|(hit, _)| hit.until + SLACK >= first.at || (one.is_none() && was_read(hit.at)))
    };
    // The end of a job without files was only in the journal.
    let forgotten = || {
        let case = Case { at: later.at, ..case };
        other == Some(Kind::Lost) && case.lost_lines() == Some(true)
    };
    (again && one.is_some()) || damaged() || forgotten()
}

fn problem(case: Case<'_>, part: usize, verdict: &Verdict) -> Option<String> {
    let Case { evidence, unit, call, .. } = case;
    let Some(answer) = Answer::of(verdict) else {
        let Verdict::Value(value) = verdict else { return None };
        let expected = unit.work.value(call);
        return if *value != expected {
            Some(format!("the value {value} instead of {expected}"))
        } else if !can_succeed(unit, call) {
            Some("a value, though the call must fail".to_owned())
        } else if evidence.returned_at(call).is_none_or(|at| at > case.at) {
            Some("a value, though not all of its processes have returned".to_owned())
        } else {
            None
        };
    };
    let never_was = answer.kind == Kind::NoSuchJob
        && evidence.is_open(&unit.name, part)
        && !evidence.began(&call.name);
    let Answer { kind, text, .. } = &answer;
    (!never_was && !is_true(case, &answer))
        .then(|| format!("{kind:?}, which has no explanation: {text}"))
}
