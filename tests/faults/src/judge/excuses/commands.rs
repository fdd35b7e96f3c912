//! Errors that commands of Slurm's explain that failed, daemons that were away, and connections that were cut.

use super::Answer;
use crate::client::Kind;
use crate::judge::reach::Case;
use crate::plan::Answer as Met;

pub(super) fn explain(case: Case<'_>, answer: &Answer) -> bool {
    let job = case.job();
    let never_ran = |met: &Met| matches!(met, Met::Fails(_) | Met::Dies | Met::Hangs);
    let asked = |command| case.answers(command, None).next().is_some();
    let sources = asked("squeue") || asked("sacct");
    // The controller, and what authenticates its clients.
    let controller = case.daemon_was_away(|name| matches!(name, "slurmctld" | "munged"));
    let node = case.daemon_was_away(|name| name.starts_with("slurmd-"));
    match answer.kind {
        // A job that sbatch has made is there, whatever came after its answer.
        Kind::Refused => {
            let has_said =
                |met: &Met| matches!(met, Met::Fails(words) if answer.text.contains(words));
            controller || case.answers("sbatch", Some(&job)).any(has_said)
        }
        Kind::Unknown => {
            let found = |met: &Met| !never_ran(met) && !sources;
            controller || case.answers("sbatch", Some(&job)).any(|met| !found(met))
        }
        Kind::NoJob | Kind::Ssh => case.connection_was_hit(),
        // `scontrol requeue` is called by the job itself.
        Kind::NotRequeued => controller || case.answers("scontrol", Some(&job)).any(never_ran),
        Kind::Unclear => controller || sources || case.connection_was_hit(),
        Kind::NodeFailed => node,
        Kind::NotStarted => node || controller,
        _ => false,
    }
}
