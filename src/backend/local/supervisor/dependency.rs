//! Whether a job's dependencies let it start.

use std::time::{Duration, SystemTime};

use slurm_core::ids::JobId;
use slurm_core::options::{Dependency, DependencyItem, DependencyKind, JobReference};
use slurm_core::state::JobState;

use super::job::LocalJob;

/// What dependencies say of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Waiting,
    Never,
}

/// Judges the dependencies of `job` by the jobs that `find` gives; one that it does not know counts
/// as one that ended well, as Slurm forgets jobs too, except for `afternotok`.
pub(super) fn judge<'a>(
    job: &LocalJob,
    find: &impl Fn(JobId) -> Option<&'a LocalJob>,
    singleton_is_free: impl Fn() -> bool,
) -> Verdict {
    let Some(text) = &job.request.dependency else { return Verdict::Met };
    // The option was checked before it was submitted.
    let Ok(dependency) = text.parse::<Dependency>() else { return Verdict::Never };
    let verdicts = dependency.items.iter().flat_map(|item| match item {
        DependencyItem::Singleton => {
            vec![if singleton_is_free() { Verdict::Met } else { Verdict::Waiting }]
        }
        DependencyItem::Jobs { kind, jobs } => {
            jobs.iter().map(|reference| of_job(*kind, reference, find)).collect()
        }
    });
    let verdicts: Vec<_> = verdicts.collect();
    let has = |wanted| verdicts.contains(&wanted);
    match dependency.any {
        true if has(Verdict::Met) => Verdict::Met,
        true if has(Verdict::Waiting) => Verdict::Waiting,
        true => Verdict::Never,
        false if has(Verdict::Never) => Verdict::Never,
        false if has(Verdict::Waiting) => Verdict::Waiting,
        false => Verdict::Met,
    }
}

fn of_job<'a>(
    kind: DependencyKind,
    reference: &JobReference,
    find: &impl Fn(JobId) -> Option<&'a LocalJob>,
) -> Verdict {
    let Some(other) = JobId::new(reference.id).and_then(find) else {
        return if kind == DependencyKind::AfterNotOk { Verdict::Never } else { Verdict::Met };
    };
    let when = |met: bool, never: bool| match (met, never) {
        (true, _) => Verdict::Met,
        (_, true) => Verdict::Never,
        _ => Verdict::Waiting,
    };
    let (ended, well) = (other.has_ended(), other.state == JobState::Completed);
    match kind {
        DependencyKind::After => {
            let delay = Duration::from_secs(60 * u64::from(reference.minutes.unwrap_or(0)));
            let started = other.started_at.is_some_and(|at| at + delay <= SystemTime::now());
            when(started || ended, false)
        }
        DependencyKind::AfterOk | DependencyKind::AfterCorr => when(well, ended),
        DependencyKind::AfterNotOk => when(ended && !well, ended),
        DependencyKind::AfterAny | DependencyKind::AfterBurstBuffer | DependencyKind::Expand => {
            when(ended, false)
        }
    }
}
