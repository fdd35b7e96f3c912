//! The errors that a call may end in, because of its own work or an injected fault.

use super::Evidence;
use crate::client::Kind;
use crate::inject::Target;
use crate::plan::{Call, Cut, Damage, Deed, Unit, Work};

/// Whether a target that is a job of this name, and an element of it, has to do with a call.
fn concerns(unit: &Unit, call: &Call, job: &str, element: Option<u64>) -> bool {
    if job == call.name {
        return true;
    }
    let (calls, chunk, name) = match &unit.work {
        Work::Array { calls, chunk, .. } => (calls, *chunk, format!("{}.array", unit.name)),
        Work::Flow { call, array, .. } => (array, 1, format!("{}.array", call.name)),
        Work::Job(_) | Work::Chain(_) => return false,
    };
    let Some(place) = calls.iter().position(|one| one.name == call.name) else { return false };
    // The elements of an array that is tried again have other items.
    job == name && (unit.again || element.is_none_or(|element| element == place as u64 / chunk))
}

/// Returns the other calls that may run in the same process as a call.
fn neighbours<'a>(unit: &'a Unit, call: &Call) -> Vec<&'a Call> {
    let Work::Array { calls, chunk, .. } = &unit.work else { return Vec::new() };
    let place =
        |name: &str| calls.iter().position(|one| one.name == name).map(|n| n as u64 / chunk);
    let own = place(&call.name);
    let other = |one: &&Call| one.name != call.name && own.is_some() && place(&one.name) == own;
    calls.iter().filter(other).collect()
}

/// Whether a process of a call was killed.
pub(super) fn was_killed(evidence: &Evidence, unit: &Unit, call: &Call) -> bool {
    evidence.was_hit(|hit| {
        matches!(hit, Target::Runner { job, element, .. } if concerns(unit, call, job, *element))
    })
}

/// Whether a file of a call was damaged, and how.
pub(super) fn was_damaged(evidence: &Evidence, unit: &Unit, call: &Call) -> Option<(Damage, Cut)> {
    evidence.hits.iter().find_map(|hit| match &hit.what {
        Target::File { job, what, element, cut, .. } if concerns(unit, call, job, *element) => {
            Some((*what, *cut))
        }
        _ => None,
    })
}

/// Whether a call can have a value, as far as the plan goes.
pub(super) fn can_succeed(unit: &Unit, call: &Call) -> bool {
    let inputs = unit.work.inputs(&call.name);
    let own = matches!(
        call.deed,
        Deed::Return | Deed::Requeue(_) | Deed::Checkpoint(_) | Deed::Background
    );
    own && inputs.into_iter().all(|input| can_succeed(unit, input))
}

/// Whether an error is true of a call.
pub(super) fn is_true(
    evidence: &Evidence,
    unit: &Unit,
    call: &Call,
    kind: Kind,
    text: &str,
) -> bool {
    by_plan(evidence, unit, call, kind, text) || by_fault(evidence, unit, call, kind, text)
}

fn by_plan(evidence: &Evidence, unit: &Unit, call: &Call, kind: Kind, text: &str) -> bool {
    let planned = |what: &str| text.contains(&format!("{} {what} as planned", call.name));
    // The exit code of a process that outlives its supervisor is lost.
    let unseen = evidence.was_hit(|hit| matches!(hit, Target::Supervisor));
    let has_code = |code: u8| unseen || text.contains(&format!("Some({code})"));
    let own = match (&call.deed, kind) {
        (Deed::Fail, Kind::Failed) => planned("fails"),
        (Deed::Panic, Kind::Failed) => planned("panics"),
        (Deed::Exit(code) | Deed::LateRank(code), Kind::Crashed) => has_code(*code),
        (Deed::Overrun, Kind::TimedOut) => true,
        _ => false,
    };
    // A call before it, or a child of the workflow, has no value.
    let inherited = unit
        .work
        .inputs(&call.name)
        .into_iter()
        .any(|input| !can_succeed(unit, input) || may_have_failed(evidence, unit, input))
        && match &unit.work {
            Work::Flow { .. } => kind == Kind::Failed,
            _ => kind == Kind::DependencyFailed,
        };
    // Another call of its process ends that.
    let with_it = neighbours(unit, call).iter().any(|other| match other.deed {
        Deed::Exit(code) => kind == Kind::Crashed && has_code(code),
        _ => false,
    });
    own || with_it || inherited || (evidence.is_cancelled(unit) && kind == Kind::Cancelled)
}

/// Whether a fault that hit a call, or one of its dependencies, can have cost its value.
fn may_have_failed(evidence: &Evidence, unit: &Unit, call: &Call) -> bool {
    was_killed(evidence, unit, call)
        || neighbours(unit, call).iter().any(|other| matches!(other.deed, Deed::Exit(_)))
        || was_damaged(evidence, unit, call).is_some()
        || evidence.is_cancelled(unit)
        || evidence.was_hit(|hit| matches!(hit, Target::Disk { .. } | Target::Journal))
        || unit
            .work
            .inputs(&call.name)
            .into_iter()
            .any(|input| !can_succeed(unit, input) || may_have_failed(evidence, unit, input))
}

fn by_fault(evidence: &Evidence, unit: &Unit, call: &Call, kind: Kind, text: &str) -> bool {
    // A retried call may have begun only on the retry.
    let began = evidence.began(&call.name) && !evidence.was_tried_again(unit);
    let killed = was_killed(evidence, unit, call);
    let journal = evidence.was_hit(|hit| matches!(hit, Target::Journal));
    let supervisor = evidence.was_hit(|hit| matches!(hit, Target::Supervisor));
    let full = evidence.was_hit(|hit| matches!(hit, Target::Disk { .. }));
    let names_the_disk = text.contains("No space left") || text.contains("disk is full");
    let by_damage = match was_damaged(evidence, unit, call) {
        Some((Damage::Spec, _)) => {
            matches!(kind, Kind::NotStarted | Kind::Failed | Kind::Corrupt | Kind::Crashed)
        }
        // A segment that ends between two items looks as if the process had ended there.
        Some((Damage::Segment, Cut::Truncate(_))) => matches!(kind, Kind::Corrupt | Kind::Crashed),
        // So does a segment with a changed length, if no process saw the end.
        Some((Damage::Segment, Cut::Flip(_))) if kind == Kind::Crashed => supervisor,
        Some((Damage::Result, _) | (Damage::Segment, Cut::Flip(_))) => kind == Kind::Corrupt,
        None => false,
    };
    // Its arguments cannot be read any more.
    let by_input = unit
        .work
        .inputs(&call.name)
        .into_iter()
        .any(|input| was_damaged(evidence, unit, input).is_some())
        && matches!(kind, Kind::DependencyFailed | Kind::Failed | Kind::Corrupt);
    by_damage
        || by_input
        || by_commands(evidence, unit, call, kind)
        || match kind {
            Kind::Crashed => killed || journal || (full && names_the_disk),
            Kind::NotStarted => (killed || journal || (full && names_the_disk)) && !began,
            // No process saw how it ended.
            Kind::NodeFailed => (killed && supervisor) || (journal && began),
            // A damaged line that can still be parsed is believed.
            Kind::Lost | Kind::Cancelled => journal && !began,
            Kind::Failed | Kind::NotRequeued | Kind::NoJob | Kind::Unknown | Kind::Other => {
                full && names_the_disk
            }
            _ => false,
        }
}

/// Whether a command of Slurm's that failed, or a daemon that was away, explains it.
fn by_commands(evidence: &Evidence, unit: &Unit, call: &Call, kind: Kind) -> bool {
    let answered = |of: &str| {
        evidence.was_hit(|hit| matches!(hit, Target::Answered { command, .. } if command == of))
    };
    let away = evidence.was_hit(|hit| matches!(hit, Target::Daemon { .. }));
    let is_flow = matches!(&unit.work, Work::Flow { call: flow, .. } if flow.name == call.name);
    match kind {
        // A connection that is gone for longer than the client waits.
        Kind::NoJob if evidence.was_hit(|hit| matches!(hit, Target::Connection)) => true,
        Kind::Refused | Kind::NoJob | Kind::Unknown => answered("sbatch") || away,
        // It cannot submit its children.
        Kind::Failed => is_flow && (answered("sbatch") || away),
        Kind::NotRequeued => answered("scontrol") || away,
        Kind::NodeFailed => away,
        Kind::NotStarted => away && !evidence.began(&call.name),
        _ => false,
    }
}

/// Whether Slurm itself may have run a call again: its daemons were away.
pub(super) fn may_be_requeued(evidence: &Evidence) -> bool {
    evidence.was_hit(|hit| matches!(hit, Target::Daemon { .. }))
}
