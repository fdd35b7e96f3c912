//! Errors that the plan explains: the deed of the call itself, the deed of another call that it needs or shares
//! a process with, and a cancellation.

use rustix::process::Signal;
use slurm_runner::exit;

use super::{Answer, is_true, job_in};
use crate::client::Kind;
use crate::judge::reach::{Case, SLACK};
use crate::ledger::What;
use crate::plan::{Call, Damage, Deed, Work};

pub(super) fn explains(case: Case<'_>, answer: &Answer) -> bool {
    deed(case, answer)
        || neighbour(case, answer)
        || input(case, answer)
        || child(case, answer)
        || cancellation(case, answer)
}

/// Returns the time at which a process of the call noted an end of this kind.
fn noted(case: Case<'_>, what: What) -> Option<u64> {
    let lines = case.evidence.lines(&case.call.name);
    lines.iter().filter(|line| line.what == what && line.at <= case.at).map(|line| line.at).max()
}

fn deed(case: Case<'_>, answer: &Answer) -> bool {
    let Some(end) = noted(case, What::Failed).or_else(|| {
        matches!(case.call.deed, Deed::Overrun).then(|| noted(case, What::Began)).flatten()
    }) else {
        return false;
    };
    let name = &case.call.name;
    match (&case.call.deed, answer.kind) {
        (Deed::Fail, Kind::Failed) => answer.text.contains(&format!("{name} fails as planned")),
        (Deed::Panic, Kind::Failed) => answer.text.contains(&format!("{name} panics as planned")),
        (deed, Kind::Crashed) if ends_its_process(deed) => has_exit(case, answer, deed, end),
        (Deed::Overrun, Kind::TimedOut) => case.at >= end + 1000,
        _ => false,
    }
}

/// Whether the deed ends the process of its call.
fn ends_its_process(deed: &Deed) -> bool {
    matches!(deed, Deed::Exit(_) | Deed::Abort | Deed::LateRank(_))
}

/// Whether an error reports the end of a process by its deed at this time, or this end is lost.
fn has_exit(case: Case<'_>, answer: &Answer, deed: &Deed, at: u64) -> bool {
    let abort = Signal::ABORT.as_raw();
    let says_so = match deed {
        // The batch script or the supervisor reports that the task itself has not ended.
        Deed::Exit(0) => answer.says(0) || answer.says(i32::from(exit::EXITED)),
        Deed::Exit(code) | Deed::LateRank(code) => answer.says(i32::from(*code)),
        Deed::Abort => answer.signal == Some(abort) || answer.says(128 + abort),
        _ => false,
    };
    says_so || (answer.says_no_exit() && case.exit_is_lost(Some(at)))
}

/// Another call has ended the common process.
fn neighbour(case: Case<'_>, answer: &Answer) -> bool {
    let ended_it = |other: &&Call| {
        if !ends_its_process(&other.deed) {
            return false;
        }
        let lines = case.evidence.lines(&other.name).iter();
        let mut ends = lines.filter(|line| line.what == What::Failed && line.at <= case.at);
        ends.any(|end| {
            let own = case.evidence.lines(&case.call.name);
            let in_it = case.ran_in(end.pid) || own.iter().all(|line| line.at > end.at);
            in_it && !case.is_safe_in(end.pid) && has_exit(case, answer, &other.deed, end.at)
        })
    };
    answer.kind == Kind::Crashed && case.neighbours().iter().any(ended_it)
}

/// An input of the call has no value, or its file cannot be read.
fn input(case: Case<'_>, answer: &Answer) -> bool {
    if matches!(case.unit.work, Work::Flow { .. }) {
        return false;
    }
    let inputs = case.unit.work.inputs(&case.call.name);
    inputs.into_iter().any(|input| {
        let unreadable = case.of(input).damages(Damage::Result).next().is_some()
            || case.of(input).damages(Damage::Segment).next().is_some();
        match answer.kind {
            Kind::DependencyFailed => case.evidence.has_error(case.unit, &input.name),
            Kind::Failed => unreadable && answer.text.contains("cannot use"),
            _ => false,
        }
    })
}

/// A child of the workflow has no value, and the workflow failed with the error of the child.
fn child(case: Case<'_>, answer: &Answer) -> bool {
    let Work::Flow { jobs, array, .. } = &case.unit.work else { return false };
    let children = case.unit.work.inputs(&case.call.name);
    let Some(said) = said_of_child(answer).filter(|_| !children.is_empty()) else { return false };
    let of_item = item_in(&answer.text).map(|item| array.get(item).into_iter().collect());
    let candidates: Vec<&Call> = of_item.unwrap_or_else(|| {
        let ran = |call: &&Call| {
            let lines = case.evidence.lines(&call.name);
            said.job.is_some_and(|job| lines.iter().any(|line| line.job == job))
        };
        let known: Vec<&Call> = jobs.iter().filter(ran).collect();
        // A call that never began is not in the ledger.
        if known.is_empty() { children } else { known }
    });
    candidates.into_iter().any(|child| is_true(case.of(child), &said))
}

/// Parses the error of a child from the error of its workflow.
fn said_of_child(answer: &Answer) -> Option<Answer> {
    let text = answer.text.split_once(" failed: ").filter(|_| answer.kind == Kind::Failed)?.1;
    const WORDS: &[(&str, Kind)] = &[
        (" ended without a result", Kind::Crashed),
        (" ended before the task was started", Kind::NotStarted),
        (" was cancelled", Kind::Cancelled),
        (" is lost: ", Kind::Lost),
        (" lost its node", Kind::NodeFailed),
        (" left a result that is ", Kind::Corrupt),
        (" does not fit this program: ", Kind::Mismatch),
        (" reached its time limit", Kind::TimedOut),
        (" cannot run", Kind::DependencyFailed),
        (" cannot be: ", Kind::NotRequeued),
        ("sbatch refused the job: ", Kind::Refused),
        ("it is not known whether the job was submitted", Kind::Unknown),
        ("so it is not known whether", Kind::Unknown),
        ("the embedded backend did not answer", Kind::Unknown),
        ("cannot tell what became of", Kind::Unclear),
        (" failed: ", Kind::Failed),
    ];
    let first = |(words, kind): &(&str, Kind)| text.find(words).map(|place| (place, *kind));
    let (_, kind) =
        WORDS.iter().filter_map(first).min_by_key(|(place, _)| *place).unwrap_or((0, Kind::NoJob));
    let exit_code = number_after(text, "with exit code ");
    let signal = number_after(text, "killed by signal ");
    Some(Answer { kind, text: text.to_owned(), job: job_in(text), exit_code, signal })
}

fn number_after(text: &str, words: &str) -> Option<i32> {
    let rest = text.split_once(words)?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Returns the item that the error of a workflow names.
fn item_in(text: &str) -> Option<usize> {
    let text = text.split_once(" failed: item ")?.1;
    text.split(' ').next()?.parse().ok()
}

/// The unit was cancelled before the call had a value.
fn cancellation(case: Case<'_>, answer: &Answer) -> bool {
    let Some(cancelled) = case.evidence.cancelled_at(case.unit) else { return false };
    let had_value = case.evidence.returned_at(case.call).is_some_and(|at| at + SLACK < cancelled);
    answer.kind == Kind::Cancelled && cancelled <= case.at && !had_value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_child_is_read_from_its_workflow() {
        let text = "job 3 (t on n) failed: item 1 of job 5_0 (t on n) ended without a result, with exit code 22 (hint: x)";
        let answer = Answer {
            kind: Kind::Failed,
            text: text.to_owned(),
            job: Some(3),
            exit_code: None,
            signal: None,
        };
        let said = said_of_child(&answer).unwrap();
        assert_eq!((said.kind, said.exit_code, item_in(text)), (Kind::Crashed, Some(22), Some(1)));
        assert_eq!((job_in(text), said.job), (Some(3), None));
        let text = "job 3 (t) failed: job 7 (t) was cancelled".to_owned();
        assert_eq!(said_of_child(&Answer { text, ..answer }).unwrap().job, Some(7));
    }
}
