//! The jobs that made another one fail.

use std::collections::HashSet;
use std::fmt::Display;

use slurm_core::codec;
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::options::DependencyKind;
use slurm_core::outcome::{Ending, Failure, MissingItem, Outcome};
use slurm_core::segment::{HEADER, Record, RecordKind, Records};
use slurm_core::state::JobState;
use slurm_host::{Found, Look};

use crate::backend::{Asked, Backend, Indices, Sighting, traces, written};
use crate::error::UpstreamFailure;
use crate::model::{Edge, EdgeElement, Explanation};

/// Returns the jobs behind `edges` that did not end as required, with the end of each. For a job that never ran
/// because of a dependency, the text names the root failure.
pub(crate) fn upstream(backend: &dyn Backend, edges: &[Edge]) -> Vec<UpstreamFailure> {
    let mut looks = UpstreamSearch { backend, left: MOST_LOOKS, seen: HashSet::new() };
    let told = |Failing { mut failure, first }: Failing| {
        if let Some(UpstreamFailure { job, task, message }) = first {
            failure.message.push_str(&format!(" because job {job} ({task}) {message}"));
        }
        failure
    };
    edges.iter().filter_map(|edge| looks.at(edge).map(told)).collect()
}

/// The limit on the upstream jobs that are looked at for one error.
const MOST_LOOKS: usize = 32;

/// UpstreamSearch for the reason why jobs have failed.
struct UpstreamSearch<'a> {
    backend: &'a dyn Backend,
    /// The number of jobs that may still be looked at.
    left: usize,
    /// The jobs or elements that were looked at already, with the required end.
    seen: HashSet<(JobId, Option<u32>, DependencyKind)>,
}

/// The failure of an upstream job.
struct Failing {
    failure: UpstreamFailure,
    /// The root failure, if it is another job.
    first: Option<UpstreamFailure>,
}

impl UpstreamSearch<'_> {
    /// Returns the failure of the job behind `edge`, if it did not end as required.
    fn at(&mut self, edge: &Edge) -> Option<Failing> {
        let needs = |kinds: &[DependencyKind]| kinds.contains(&edge.kind);
        let needs_failure = needs(&[DependencyKind::AfterNotOk]);
        if !needs_failure && !needs(&[DependencyKind::AfterOk, DependencyKind::AfterCorr]) {
            // Any end is accepted.
            return None;
        }
        let fate = match (edge.items, edge.element) {
            (None, _) => job_failure(self.backend, edge),
            (Some(_), Some(element @ EdgeElement { item: Some(item), .. })) => {
                item_failure(self.backend, edge, element, item)
            }
            (Some(_), _) => array_failure(self.backend, edge),
        };
        let (message, never_ran) = match (fate, needs_failure) {
            (Some(fate), false) => fate,
            (None, true) => ("succeeded".to_owned(), false),
            (None, false) | (Some(_), true) => return None,
        };
        let first = if never_ran { self.first_before(edge) } else { None };
        let failure = UpstreamFailure { job: edge.job, task: edge.task.clone(), message };
        Some(Failing { failure, first })
    }

    /// Returns the root failure for the job behind `edge`, which could never run, from the dependencies in its
    /// directory.
    fn first_before(&mut self, edge: &Edge) -> Option<UpstreamFailure> {
        let path = JobDir::at(&edge.dir).job_json();
        let text = self.backend.host().read(&path, 0).ok().flatten()?;
        let after = serde_json::from_slice::<Explanation>(&text).ok()?.after;
        after.iter().find_map(|edge| {
            // Several paths may lead to the same job.
            let index = edge.element.map(|element| element.index);
            if !self.seen.insert((edge.job, index, edge.kind)) {
                return None;
            }
            self.left = self.left.checked_sub(1)?;
            let failing = self.at(edge)?;
            Some(failing.first.unwrap_or(failing.failure))
        })
    }
}

/// The end of a job or an array in words, and whether it may never have run because of another job.
type Shortfall = (String, bool);

/// Returns whether a job with this sighting may never have run because of another job.
fn may_have_waited_in_vain(seen: &Sighting) -> bool {
    seen.waits_in_vain() || seen.state == JobState::Cancelled && seen.cancelled_by.is_none()
}

fn job_failure(backend: &dyn Backend, edge: &Edge) -> Option<Shortfall> {
    let result = backend.host().read(&JobDir::at(&edge.dir).result(), 0).ok().flatten();
    let outcome = result.and_then(|bytes| Some(Outcome::from_bytes(&bytes).ok()?.0.ending));
    match outcome {
        Some(Ending::Failure(failure)) => Some((format!("failed: {failure}"), false)),
        Some(Ending::Value(_)) => None,
        None => {
            let ended_as = |state: &JobState| format!("ended as {state}");
            let seen = backend.survey(&[Asked::job(edge.job)]).ok()?.seen.remove(&edge.job);
            match seen {
                Some(seen) => {
                    seen.is_end().then(|| (ended_as(&seen.state), may_have_waited_in_vain(&seen)))
                }
                None => traces::was_cancelled(backend.host(), &JobDir::at(&edge.dir))
                    .ok()?
                    .then(|| (ended_as(&JobState::Cancelled), false)),
            }
        }
    }
}

/// Returns why an item has no value, or `None` if it has one or may still get one.
fn item_failure(
    backend: &dyn Backend,
    edge: &Edge,
    element: EdgeElement,
    item: u64,
) -> Option<Shortfall> {
    let segment = JobDir::at(&edge.dir).segment(element.number);
    let bytes = backend.host().read(&segment, 0).ok().flatten().unwrap_or_default();
    let is_it = |record: &Record| {
        record.index == item && matches!(record.kind, RecordKind::Value | RecordKind::Failure)
    };
    match Records::new(&bytes, HEADER).filter(is_it).last() {
        Some(record) if record.kind == RecordKind::Value => None,
        Some(record) => {
            let failure = codec::decode::<Failure>(&bytes[record.payload]);
            let failure = failure.map_or_else(|e| e.to_string(), |f| f.to_string());
            Some((failed_item(item, failure), false))
        }
        None => ended_without(backend, edge.job, element.index, item),
    }
}

fn failed_item(item: u64, failure: impl Display) -> String {
    format!("failed: item {item}: {failure}")
}

/// Returns the end of the element of an item that has left nothing, if it has ended.
fn ended_without(backend: &dyn Backend, job: JobId, index: u32, item: u64) -> Option<Shortfall> {
    let asked = Asked { job, elements: Some(vec![(index, index)]) };
    let survey = backend.survey(&[asked]).ok()?;
    let seen = survey.element(job, index).filter(|seen| seen.is_end())?;
    let message = format!("{}: its element ended as {}", no_value(item), seen.state);
    Some((message, may_have_waited_in_vain(seen)))
}

fn no_value(item: u64) -> String {
    format!("left no value of item {item}")
}

/// Returns why an item has no value, from what it has left.
pub(crate) fn words_of(missing: &MissingItem) -> String {
    let failure = missing.failure.as_ref();
    failure.map_or_else(|| no_value(missing.item), |failure| failed_item(missing.item, failure))
}

/// Returns the failure of an item whose value a runner did not find.
pub(super) fn missing_item(backend: &dyn Backend, missing: MissingItem) -> UpstreamFailure {
    let MissingItem { task, job, index, item, failure } = missing;
    let failure = failure.map(|failure| failed_item(item, failure));
    let ended = || ended_without(backend, job, index, item).map(|(message, _)| message);
    let message = failure.or_else(ended);
    UpstreamFailure { job, task, message: message.unwrap_or_else(|| no_value(item)) }
}

fn array_failure(backend: &dyn Backend, edge: &Edge) -> Option<Shortfall> {
    let bad = ended_badly(backend, edge);
    let dir = JobDir::at(&edge.dir);
    let look = Look::Dir { path: dir.segments() };
    let listed = backend.host().look(&[look], u64::MAX).ok()?.pop()?.ok()?;
    let names = if let Found::Names(names) = listed { names } else { Vec::new() };
    let mut elements: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
    // Elements that the backend reports as failed come first. In a further Slurm array of the submission they
    // have other numbers, so there the order is arbitrary.
    let is_bad = |element: &u64| {
        let has =
            |(first, last): &(u32, u32)| (u64::from(*first)..=u64::from(*last)).contains(element);
        bad.iter().flat_map(|(indices, _)| indices).any(has)
    };
    elements.sort_unstable_by_key(|element| (!is_bad(element), *element));
    let count = edge.items.unwrap_or_default();
    let likely = elements.iter().take_while(|element| is_bad(element)).count();
    let (likely, others) = elements.split_at(likely);
    // One failure is enough, and segments may be many and large.
    let mut batches = likely.chunks(1).chain(others.chunks(8));
    let failure = batches.find_map(|batch| first_failure(backend, &dir, batch));
    let told = failure
        .map(|(index, failure)| (format!("failed: item {index} of its {count}: {failure}"), false));
    told.or_else(|| {
        let (indices, seen) = bad.first()?;
        let which = match indices.is_empty() {
            true => "it".to_owned(),
            false => format!("element {}", written(indices)),
        };
        let message = format!("did not succeed: {which} ended as {}", seen.state);
        Some((message, may_have_waited_in_vain(seen)))
    })
}

/// Returns the first failure in the segments of some elements.
fn first_failure(backend: &dyn Backend, dir: &JobDir, elements: &[u64]) -> Option<(u64, String)> {
    let look = |element: &u64| Look::File { path: dir.segment(*element), offset: 0 };
    let looks: Vec<Look> = elements.iter().map(look).collect();
    let found = backend.host().look(&looks, u64::MAX).ok()?.into_iter().flatten();
    found.filter_map(Found::into_bytes).find_map(|bytes| {
        let mut records = Records::new(&bytes, HEADER);
        let record = records.find(|record| record.kind == RecordKind::Failure)?;
        let failure = codec::decode::<Failure>(&bytes[record.payload]);
        Some((record.index, failure.map_or_else(|e| e.to_string(), |f| f.to_string())))
    })
}

/// Returns the elements that did not succeed, according to the backend. The indices are empty for a line about
/// the whole array.
fn ended_badly(backend: &dyn Backend, edge: &Edge) -> Vec<(Indices, Sighting)> {
    let Ok(mut survey) = backend.survey(&[Asked::job(edge.job)]) else {
        return Vec::new();
    };
    let mut bad = survey.elements.remove(&edge.job).unwrap_or_default();
    bad.extend(survey.seen.remove(&edge.job).map(|seen| (Indices::new(), seen)));
    bad.retain(|(_, seen)| seen.is_end() && seen.state != JobState::Completed);
    bad
}
