//! Errors that an injected fault explains on every backend: killed processes, damaged files, a full disk, and a
//! supervisor's journal with lost lines.

use rustix::process::Signal;
use slurm_runner::exit;

use super::Answer;
use crate::client::Kind;
use crate::judge::reach::Case;
use crate::plan::{Cut, Damage};

pub(super) fn explain(case: Case<'_>, answer: &Answer) -> bool {
    killed(case, answer)
        || damaged(case, answer)
        || full_disk(case, answer)
        || lost_lines(case, answer)
}

/// The process was killed. A shell that waits for such a process ends with 128 plus the number of the signal.
fn killed(case: Case<'_>, answer: &Answer) -> bool {
    let signal = Signal::KILL.as_raw();
    let says_so = answer.signal == Some(signal) || answer.says(128 + signal);
    let lost = answer.says_no_exit() && case.exit_is_lost(None);
    case.kills().any(|pid| match answer.kind {
        Kind::Crashed => says_so || lost,
        Kind::NotStarted => (says_so || lost) && !case.ran_in(pid),
        _ => false,
    })
}

fn damaged(case: Case<'_>, answer: &Answer) -> bool {
    // The runner reads the spec when it starts.
    let spec = || {
        let refused = [exit::SPEC, exit::VERSION, exit::UNKNOWN_TASK];
        let says_so = refused.iter().any(|code| answer.says(i32::from(*code)))
            || (answer.says_no_exit() && case.exit_is_lost(None));
        case.damages(Damage::Spec).any(|(hit, _)| {
            let says_so = says_so || answer.text.contains("/spec: ");
            match answer.kind {
                Kind::NotStarted => says_so,
                // A bit of the version was flipped.
                Kind::Mismatch => answer.text.contains("/spec: "),
                // The call, or another item of its element, had begun before the damage and was requeued.
                Kind::Crashed => {
                    let lines = case.evidence.lines(&case.call.name).iter();
                    let others = case.neighbours().into_iter();
                    let mut all =
                        lines.chain(others.flat_map(|call| case.evidence.lines(&call.name)));
                    says_so && all.any(|line| line.at < hit.at)
                }
                _ => false,
            }
        })
    };
    // A resumed workflow reads the specs of its children.
    let resumed = || {
        answer.kind == Kind::NoJob
            && answer.text.contains("spec cannot be used")
            && case.damages(Damage::Spec).next().is_some()
    };
    // With a flipped bit of the version or the types, the file seems to be of another program.
    let is_bad = |cut| match answer.kind {
        Kind::Corrupt => true,
        Kind::Mismatch => matches!(cut, Cut::Flip(_)),
        _ => false,
    };
    let result = || case.damages(Damage::Result).any(|(_, cut)| is_bad(cut));
    let segment = || {
        // A segment that ends between two items looks as if the process had ended there with the exit code for
        // its finished items. A record with a changed length looks the same if no exit code is known.
        let ended = answer.kind == Kind::Crashed;
        let by_itself = ended && (answer.says(0) || answer.says(i32::from(exit::FAILED)));
        let unseen = ended && answer.says_no_exit() && case.exit_is_lost(None);
        case.damages(Damage::Segment)
            .any(|(_, cut)| is_bad(cut) || unseen || (by_itself && matches!(cut, Cut::Truncate(_))))
    };
    spec() || resumed() || result() || segment()
}

fn full_disk(case: Case<'_>, answer: &Answer) -> bool {
    let full = case.met_a_full_disk() && answer.names_the_disk();
    let may_name_it = matches!(
        answer.kind,
        Kind::Crashed
            | Kind::Failed
            | Kind::NotRequeued
            | Kind::NoJob
            | Kind::Unknown
            | Kind::NotStarted
            | Kind::Other
    );
    full && may_name_it
}

/// The journal has lost lines of the job. Files of jobs are found anyway, but only the journal has exit codes,
/// and the ends of jobs that left no files.
fn lost_lines(case: Case<'_>, answer: &Answer) -> bool {
    let Some(had_ended) = case.lost_lines() else { return false };
    match answer.kind {
        Kind::Lost => had_ended,
        _ => false,
    }
}
