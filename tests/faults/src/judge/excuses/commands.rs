//! Errors that failed commands of Slurm, stopped daemons and cut connections explain.

use super::Answer;
use crate::client::Kind;
use crate::judge::reach::Case;
use crate::plan::Answer as Met;

pub(super) fn explain(case: Case<'_>, answer: &Answer) -> bool {
    let job = case.job();
    let never_ran = |met: &Met| matches!(met, Met::Fails(_) | Met::Dies | Met::Hangs);
    let asked = |command| case.answers(command, None).next().is_some();
    let sources = asked("squeue") || asked("sacct");
    // munged authenticates the clients of the controller.
    let controller = case.daemon_was_away(|name| matches!(name, "slurmctld" | "munged"));
    let node = case.daemon_was_away(|name| name.starts_with("slurmd-"));
    match answer.kind {
        // If sbatch has made a job, its client must know it, even if the answer came with an error.
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
        // The job itself calls `scontrol requeue`.
        Kind::NotRequeued => controller || case.answers("scontrol", Some(&job)).any(never_ran),
        Kind::Unclear => controller || sources || case.connection_was_hit(),
        Kind::NodeFailed => node,
        Kind::NotStarted => node || controller,
        _ => false,
    }
}
