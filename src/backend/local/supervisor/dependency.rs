//! Whether dependencies let a job or an array start.

use std::time::{Duration, SystemTime};

use slurm_core::ids::JobId;
use slurm_core::options::{ArrayIndex, Dependency, DependencyItem, DependencyKind, JobReference};
use slurm_core::state::JobState;

use super::array::{Elements, LocalArray};
use super::job::LocalJob;
use super::jobs::Jobs;

/// What dependencies say of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Waiting,
    Never,
}

/// Judges a dependency by the jobs that are known.
///
/// All were known when the job was submitted, and none is forgotten while a job waits for it. Of one whose lines the
/// journal has lost the end is not known; it counts as one that ended well, except for `afternotok`.
pub(super) fn judge(
    dependency: &Dependency,
    jobs: &Jobs,
    singleton_is_free: impl Fn() -> bool,
) -> Verdict {
    let verdicts = dependency.items.iter().flat_map(|item| match item {
        DependencyItem::Singleton => vec![of_singleton(&singleton_is_free)],
        DependencyItem::Jobs { kind, jobs: references } => {
            references.iter().flat_map(|reference| of_reference(*kind, reference, jobs)).collect()
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

/// Returns the first job that a dependency names and that is not known.
pub(super) fn unknown(dependency: &Dependency, jobs: &Jobs) -> Option<JobId> {
    let unknown = |reference: &JobReference| progress(reference, jobs).is_empty();
    let unknown = references(dependency).find(|reference| unknown(reference))?;
    JobId::new(unknown.id)
}

/// Returns the jobs that a dependency names.
pub(super) fn references(dependency: &Dependency) -> impl Iterator<Item = &JobReference> {
    dependency.items.iter().flat_map(|item| match item {
        DependencyItem::Jobs { jobs, .. } => jobs.as_slice(),
        DependencyItem::Singleton => &[],
    })
}

pub(super) fn of_singleton(is_free: &impl Fn() -> bool) -> Verdict {
    if is_free() { Verdict::Met } else { Verdict::Waiting }
}

/// Returns how long it is until a dependency comes true by time alone, as `after:ID+minutes` does.
pub(super) fn next_time(dependency: &Dependency, jobs: &Jobs) -> Option<Duration> {
    let now = SystemTime::now();
    let references = dependency.items.iter().flat_map(|item| match item {
        DependencyItem::Jobs { kind: DependencyKind::After, jobs } => jobs.as_slice(),
        DependencyItem::Jobs { .. } | DependencyItem::Singleton => &[],
    });
    let waits = references.flat_map(|reference| {
        let started = progress(reference, jobs).into_iter().filter_map(|progress| progress.running);
        started.filter_map(|at| (at + delay(reference)).duration_since(now).ok())
    });
    waits.min()
}

fn delay(reference: &JobReference) -> Duration {
    Duration::from_secs(60 * u64::from(reference.minutes.unwrap_or(0)))
}

/// How far a job is, or an array as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// It, or an element of it, has not started.
    pending: bool,
    /// When it started that has not ended, or the latest of such elements.
    running: Option<SystemTime>,
    /// It, or an element of it, has ended otherwise than well.
    failed: bool,
}

/// Judges one reference: each of the elements that it lists, or an array as a whole.
pub(super) fn of_reference(
    kind: DependencyKind,
    reference: &JobReference,
    jobs: &Jobs,
) -> Vec<Verdict> {
    let known = progress(reference, jobs);
    if known.is_empty() {
        return vec![match kind {
            DependencyKind::AfterNotOk => Verdict::Never,
            _ => Verdict::Met,
        }];
    }
    known.iter().map(|progress| progress.judge(kind, delay(reference))).collect()
}

/// Judges an array as a whole.
pub(super) fn of_array(kind: DependencyKind, array: &LocalArray, jobs: &Jobs) -> Verdict {
    Progress::of_array(array, jobs).judge(kind, Duration::ZERO)
}

/// Returns how far those are that a reference means; nothing if none of them is known. Of listed
/// elements that are equally far, one stands for all.
fn progress(reference: &JobReference, jobs: &Jobs) -> Vec<Progress> {
    let Some(id) = JobId::new(reference.id) else { return Vec::new() };
    let Some(array) = jobs.array(id) else {
        let of_element = || jobs.element(id).map(|(array, index)| Progress::of_idle(array, index));
        let job = || jobs.get(id).map(Progress::of_job).or_else(of_element);
        return match reference.index {
            ArrayIndex::Whole | ArrayIndex::All => job().into_iter().collect(),
            // It is no array.
            ArrayIndex::One(_) | ArrayIndex::List(_) => Vec::new(),
        };
    };
    let listed = match &reference.index {
        ArrayIndex::Whole | ArrayIndex::All => return vec![Progress::of_array(array, jobs)],
        ArrayIndex::One(index) => Elements::from_iter([*index..=*index]),
        ArrayIndex::List(ranges) => ranges.iter().map(|range| range.first..=range.last).collect(),
    };
    let overlap = |elements: &Elements| !(elements & &listed).is_empty();
    let is_listed =
        |job: &&LocalJob| job.element.is_some_and(|element| listed.contains(&element.index));
    let mut found: Vec<_> = jobs.live(array).filter(is_listed).map(Progress::of_job).collect();
    if overlap(&array.pending) {
        found.push(Progress { pending: true, ..Progress::default() });
    }
    for (end, _) in array.ended.iter().filter(|(_, elements)| overlap(elements)) {
        found.push(Progress { failed: !end.is_well(), ..Progress::default() });
    }
    found
}

impl Progress {
    fn of_job(job: &LocalJob) -> Self {
        let ended = job.has_ended();
        let running = job.started_at.filter(|_| !ended);
        let failed = ended && job.state != JobState::Completed;
        Self { pending: !ended && running.is_none(), running, failed }
    }

    /// Of an element that does not run.
    fn of_idle(array: &LocalArray, index: u32) -> Self {
        let end = array.end_of(index);
        let failed = end.is_some_and(|end| !end.is_well());
        Self { pending: end.is_none(), running: None, failed }
    }

    fn of_array(array: &LocalArray, jobs: &Jobs) -> Self {
        let ended = Self {
            pending: !array.pending.is_empty(),
            running: None,
            failed: array.ended.iter().any(|(end, _)| !end.is_well()),
        };
        jobs.live(array).map(Self::of_job).fold(ended, |all, one| Self {
            pending: all.pending || one.pending,
            running: all.running.max(one.running),
            failed: all.failed || one.failed,
        })
    }

    fn judge(self, kind: DependencyKind, delay: Duration) -> Verdict {
        let ended = !self.pending && self.running.is_none();
        match kind {
            DependencyKind::After => {
                let started = self.running.is_none_or(|at| at + delay <= SystemTime::now());
                if started && !self.pending { Verdict::Met } else { Verdict::Waiting }
            }
            _ if !ended => Verdict::Waiting,
            DependencyKind::AfterOk | DependencyKind::AfterCorr if self.failed => Verdict::Never,
            DependencyKind::AfterNotOk if !self.failed => Verdict::Never,
            DependencyKind::AfterOk
            | DependencyKind::AfterCorr
            | DependencyKind::AfterNotOk
            | DependencyKind::AfterAny
            | DependencyKind::AfterBurstBuffer
            | DependencyKind::Expand => Verdict::Met,
        }
    }
}
