//! Whether a job's dependencies let it start.

use std::time::{Duration, SystemTime};

use slurm_core::ids::JobId;
use slurm_core::options::{DependencyItem, DependencyKind, JobReference};
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
    let Some(dependency) = &job.dependency else { return Verdict::Met };
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

/// Returns how long it is until a dependency of `job` comes true by time alone, as `after:ID+minutes`
/// does.
pub(super) fn next_time<'a>(
    job: &LocalJob,
    find: &impl Fn(JobId) -> Option<&'a LocalJob>,
) -> Option<Duration> {
    let now = SystemTime::now();
    let items = job.dependency.iter().flat_map(|dependency| &dependency.items);
    let references = items.flat_map(|item| match item {
        DependencyItem::Jobs { kind: DependencyKind::After, jobs } => jobs.as_slice(),
        DependencyItem::Jobs { .. } | DependencyItem::Singleton => &[],
    });
    let waits = references.filter_map(|reference| {
        let started_at = JobId::new(reference.id).and_then(find)?.started_at?;
        (started_at + delay(reference)).duration_since(now).ok()
    });
    waits.min()
}

fn delay(reference: &JobReference) -> Duration {
    Duration::from_secs(60 * u64::from(reference.minutes.unwrap_or(0)))
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
            let started =
                other.started_at.is_some_and(|at| at + delay(reference) <= SystemTime::now());
            when(started || ended, false)
        }
        DependencyKind::AfterOk | DependencyKind::AfterCorr => when(well, ended),
        DependencyKind::AfterNotOk => when(ended && !well, ended),
        DependencyKind::AfterAny | DependencyKind::AfterBurstBuffer | DependencyKind::Expand => {
            when(ended, false)
        }
    }
}
