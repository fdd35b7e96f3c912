//! Whether dependencies let an array start.

use std::time::Duration;

use slurm_core::ids::JobId;
use slurm_core::options::{ArrayIndex, Dependency, DependencyItem, DependencyKind, JobReference};

use super::array::{Array, Elements};
use super::job::Job;
use super::jobs::Jobs;
use crate::backend::local::protocol::JobRequest;

/// What dependencies say of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Waiting,
    Never,
}

/// Reads the dependencies of the request that is to have the id `id`.
///
/// # Errors
/// They cannot be read, or name a job that does not exist before this one.
pub(super) fn read(id: JobId, request: &JobRequest) -> Result<Option<Dependency>, String> {
    let dependency = request.dependency.as_deref().map(str::parse).transpose();
    let dependency: Option<Dependency> =
        dependency.map_err(|error| format!("its dependencies: {error}"))?;
    let later = dependency.iter().flat_map(references).find(|reference| reference.id >= id.get());
    match later.map(|reference| reference.id) {
        Some(other) => Err(format!("it waits for job {other}, which does not exist")),
        None => Ok(dependency),
    }
}

/// Judges a dependency by the jobs that are known, at the time `now` in milliseconds since the Unix epoch.
///
/// All were known when the job was submitted, and none is forgotten while a job waits for it. If the journal has lost a
/// job, its end is not known; it counts as a job that ended well, except for `afternotok`.
pub(super) fn judge(
    dependency: &Dependency,
    jobs: &Jobs,
    now: u64,
    singleton_is_free: impl Fn() -> bool,
) -> Verdict {
    let verdicts = dependency.items.iter().flat_map(|item| match item {
        DependencyItem::Singleton => vec![of_singleton(&singleton_is_free)],
        DependencyItem::Jobs { kind, jobs: references } => references
            .iter()
            .flat_map(|reference| of_reference(*kind, reference, jobs, now))
            .collect(),
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
pub(super) fn next_time(dependency: &Dependency, jobs: &Jobs, now: u64) -> Option<Duration> {
    let references = dependency.items.iter().flat_map(|item| match item {
        DependencyItem::Jobs { kind: DependencyKind::After, jobs } => jobs.as_slice(),
        DependencyItem::Jobs { .. } | DependencyItem::Singleton => &[],
    });
    let waits = references.flat_map(|reference| {
        let started = progress(reference, jobs).into_iter().filter_map(|progress| progress.running);
        // A time that has come changes nothing any more.
        started.filter_map(move |at| {
            at.saturating_add(delay(reference)).checked_sub(now).filter(|wait| *wait > 0)
        })
    });
    waits.min().map(Duration::from_millis)
}

/// Returns the minutes of a reference, in milliseconds.
fn delay(reference: &JobReference) -> u64 {
    60_000 * u64::from(reference.minutes.unwrap_or(0))
}

/// How far an element is, or an array as a whole.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// An element has not started.
    pending: bool,
    /// When the latest of the elements that run has started, in milliseconds since the Unix epoch.
    running: Option<u64>,
    /// An element has ended otherwise than well.
    failed: bool,
}

/// Judges one reference: each of the elements that it lists, or an array as a whole.
pub(super) fn of_reference(
    kind: DependencyKind,
    reference: &JobReference,
    jobs: &Jobs,
    now: u64,
) -> Vec<Verdict> {
    let known = progress(reference, jobs);
    if known.is_empty() {
        return vec![match kind {
            DependencyKind::AfterNotOk => Verdict::Never,
            _ => Verdict::Met,
        }];
    }
    known.iter().map(|progress| progress.judge(kind, delay(reference), now)).collect()
}

/// Judges an array as a whole.
pub(super) fn of_array(kind: DependencyKind, array: &Array, jobs: &Jobs, now: u64) -> Verdict {
    Progress::of_array(array, jobs).judge(kind, 0, now)
}

/// Returns how far the elements are that a reference means; nothing if none of them is known. Of listed
/// elements that are equally far, one stands for all.
fn progress(reference: &JobReference, jobs: &Jobs) -> Vec<Progress> {
    let known = JobId::new(reference.id).and_then(|id| Some((id, jobs.find(id)?)));
    let Some((id, (array, index))) = known else { return Vec::new() };
    let is_whole = array.id == id;
    let listed = match &reference.index {
        ArrayIndex::Whole | ArrayIndex::All if is_whole => {
            return vec![Progress::of_array(array, jobs)];
        }
        ArrayIndex::Whole | ArrayIndex::All => Elements::from_iter([index..=index]),
        // It is an element itself, or a job.
        _ if !is_whole || !array.is_array() => return Vec::new(),
        ArrayIndex::One(index) => Elements::from_iter([*index..=*index]),
        ArrayIndex::List(ranges) => ranges.iter().map(|range| range.first..=range.last).collect(),
    };
    let overlap = |elements: &Elements| !(elements & &listed).is_empty();
    let running = jobs.running_of(array).filter(|job| listed.contains(&job.index));
    let mut found: Vec<_> = running.map(Progress::of_job).collect();
    if overlap(&array.pending) {
        found.push(Progress { pending: true, ..Progress::default() });
    }
    for (end, _) in array.ended.iter().filter(|(_, elements)| overlap(elements)) {
        found.push(Progress { failed: !end.is_well(), ..Progress::default() });
    }
    found
}

impl Progress {
    fn of_job(job: &Job) -> Self {
        Self { pending: job.started_at.is_none(), running: job.started_at, failed: false }
    }

    fn of_array(array: &Array, jobs: &Jobs) -> Self {
        let idle = Self {
            pending: !array.pending.is_empty(),
            running: None,
            failed: array.ended.iter().any(|(end, _)| !end.is_well()),
        };
        jobs.running_of(array).map(Self::of_job).fold(idle, |all, one| Self {
            pending: all.pending || one.pending,
            running: all.running.max(one.running),
            failed: all.failed || one.failed,
        })
    }

    fn judge(self, kind: DependencyKind, delay: u64, now: u64) -> Verdict {
        let ended = !self.pending && self.running.is_none();
        match kind {
            DependencyKind::After => {
                let started = self.running.is_none_or(|at| at.saturating_add(delay) <= now);
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
