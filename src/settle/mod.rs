//! Decides dependencies on jobs that may have ended, before a job is submitted.
//!
//! slurmctld forgets a job some minutes after its end (`MinJobAge`). If a new job depends on a forgotten one, Slurm up
//! to 22.05 drops the dependency, so the new job runs even if the other one failed; Slurm from 23.02 on refuses the
//! submission. So this module looks at those jobs first: a dependency that is met is left out, a dependency that can
//! never be met is an error, and only the others are left to Slurm. No look is made at a job that was submitted moments
//! ago and has not been seen to end. A source that does not answer is asked again for minutes, because a missing answer
//! decides nothing.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use slurm_core::backoff::Backoff;
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::options::{DependencyKind, OptionSet};
use slurm_core::outcome::{Ending, Outcome};
use slurm_core::segment::{HEADER, RecordKind, Records};
use slurm_core::state::JobState;

use crate::backend::{Asked, Indices, Sighting, Source, Survey, traces};
use crate::cluster::Cluster;
use crate::conclude;
use crate::error::{Error, Result, SubmitError, UpstreamFailure};
use crate::host::{self, Found};
use crate::model::{Edge, EdgeElement, Explanation};
use crate::poll::Obstacle;

/// No look is made at a job that was submitted less than this ago, unless `MinJobAge` is shorter.
const FRESH: Duration = Duration::from_secs(10);

/// For how long every queue still knows a job. Slurm's manual asks for a `MinJobAge` of at least 2 s, so the setting
/// only matters, and is only asked for, if a job is older.
const SURELY_KNOWN: Duration = Duration::from_secs(2);

/// The pause after the first question without an answer, and the longest one.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// Which dependencies are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// At jobs that the queue may have forgotten by now.
    AtDoubtful,
    /// At all jobs, because the queue has just denied one of them.
    AtAll,
}

/// Returns the edges that are still open.
///
/// # Errors
/// [`SubmitError::DependencyFailed`] if one can never be met; [`SubmitError::DependencyUnknown`] if no source
/// tells whether it was met; and any error of the backend.
pub(crate) fn open(
    cluster: &Cluster,
    options: &OptionSet,
    edges: &[Edge],
    look: Look,
) -> Result<Vec<Edge>> {
    // They may name another Slurm cluster.
    let there = &cluster.for_options(options);
    // Jobs of another cluster are refused elsewhere.
    let is_doubtful = |edge: &Edge| {
        edge.not_of(cluster, options).is_none() && (look == Look::AtAll || !is_fresh(there, edge))
    };
    let (doubtful, others): (Vec<&Edge>, Vec<&Edge>) =
        edges.iter().partition(|edge| is_doubtful(edge));
    if doubtful.is_empty() {
        return Ok(edges.to_vec());
    }
    let patience = there.backend().cadence().unconfirmed_after;
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    let open = loop {
        let unanswered = match ask(there, &doubtful) {
            Ok(survey) => match still_open(there, &doubtful, &survey) {
                Err(error @ Error::Submit(SubmitError::DependencyUnknown { .. }))
                    if survey.testimony.failure().is_some() =>
                {
                    error
                }
                decided => break decided?,
            },
            Err(error) if Obstacle::of_error(&error).is_none() => error,
            Err(error) => return Err(error),
        };
        if backoff.elapsed() + backoff.next_pause() > patience {
            return Err(unanswered);
        }
        log::warn!(
            "the submission waits until the state of its dependencies is known, asking again in {} s: {unanswered}",
            backoff.next_pause().as_secs_f32()
        );
        backoff.pause();
    };
    Ok(others.into_iter().chain(open).cloned().collect())
}

/// Returns whether the queue certainly still knows the job behind `edge`, which this process has submitted.
fn is_fresh(cluster: &Cluster, edge: &Edge) -> bool {
    let Some(known_at) = edge.known_at else { return false };
    let is_younger_than = |age| known_at.elapsed() < age;
    if !is_younger_than(FRESH) {
        return false;
    }
    match is_younger_than(SURELY_KNOWN) {
        true => true,
        false => cluster.backend().forgets_after().is_some_and(is_younger_than),
    }
}

/// Returns which of the edges that were asked about are still open.
fn still_open<'e>(cluster: &Cluster, asked: &[&'e Edge], survey: &Survey) -> Result<Vec<&'e Edge>> {
    let (mut open, mut failed, mut unknown) = (Vec::new(), Vec::new(), None);
    for edge in asked.iter().copied() {
        match decide(cluster, edge, survey) {
            Decision::Open => open.push(edge),
            Decision::Failed(failure) if !failed.contains(&failure) => failed.push(failure),
            Decision::Met | Decision::Failed(_) => {}
            Decision::Unknown(reason) => unknown = unknown.or(Some((edge, reason))),
        }
    }
    match (failed.is_empty(), unknown) {
        (false, _) => Err(SubmitError::DependencyFailed { upstream: failed }.into()),
        (true, Some((edge, reason))) => {
            let (job, task) = (edge.job, edge.task.clone());
            Err(SubmitError::DependencyUnknown { job, task, reason }.into())
        }
        (true, None) => Ok(open),
    }
}

/// Asks about all of them at once.
fn ask(cluster: &Cluster, edges: &[&Edge]) -> Result<Survey> {
    let mut asked: HashMap<JobId, Asked> = HashMap::new();
    for edge in edges {
        let elements = elements_of(edge);
        let known = asked.entry(edge.job).or_insert_with(|| match &elements {
            Some(_) => Asked { job: edge.job, elements: Some(Vec::new()) },
            None => Asked::job(edge.job),
        });
        if let Some(known) = &mut known.elements {
            known.extend(elements.unwrap_or_default());
            known.sort_unstable();
            known.dedup();
        }
    }
    let asked: Vec<Asked> = asked.into_values().collect();
    cluster.backend().survey(&asked)
}

/// The elements that matter, if it is an array.
fn elements_of(edge: &Edge) -> Option<Indices> {
    match (edge.element, edge.elements) {
        (Some(EdgeElement { index, .. }), _) => Some(vec![(index, index)]),
        (None, Some((_, count @ 1..))) => Some(vec![(0, count - 1)]),
        _ => None,
    }
}

enum Decision {
    /// It lives, so Slurm will decide.
    Open,
    Met,
    Failed(UpstreamFailure),
    /// Nothing tells, and why.
    Unknown(String),
}

fn decide(cluster: &Cluster, edge: &Edge, survey: &Survey) -> Decision {
    let is = |kind: DependencyKind| edge.kind == kind.as_str();
    let end = match elements_of(edge) {
        None => of_job(cluster, edge, survey),
        Some(elements) => of_elements(cluster, edge, &elements, survey),
    };
    let needs_failure = is(DependencyKind::AfterNotOk);
    let needs_success = is(DependencyKind::AfterOk) || is(DependencyKind::AfterCorr);
    // Where values are taken element by element, the runner decides for each; and the queue, while it knows.
    let by_element = is(DependencyKind::AfterCorr);
    let each_decides = by_element && edge.carries_result;
    match end {
        End::Lives => Decision::Open,
        End::Badly(_) if by_element && survey.queued.contains(&edge.job) => Decision::Open,
        _ if !needs_failure && !needs_success || each_decides => Decision::Met,
        End::Well if needs_success => Decision::Met,
        End::Well => failed(edge, "succeeded".to_owned()),
        End::Badly(_) if needs_failure => Decision::Met,
        End::Badly(message) => {
            told(cluster, edge).map_or_else(|| failed(edge, message), Decision::Failed)
        }
        End::Unknown => Decision::Unknown(format!("it left no result; {}", survey.testimony)),
    }
}

fn failed(edge: &Edge, message: String) -> Decision {
    Decision::Failed(UpstreamFailure { job: edge.job, task: edge.task.clone(), message })
}

/// Returns the failure of the dependency, with its root failure.
fn told(cluster: &Cluster, edge: &Edge) -> Option<UpstreamFailure> {
    conclude::upstream(cluster.backend(), std::slice::from_ref(edge)).pop()
}

/// How a dependency has ended.
enum End {
    Lives,
    Well,
    /// In what way, in words.
    Badly(String),
    Unknown,
}

impl End {
    fn of(seen: &Sighting) -> Self {
        // Slurm may put it back, and while the queue knows it, a dependency on it holds.
        let may_return = seen.state.may_return() && seen.source == Source::Queue;
        match seen.state {
            _ if !seen.is_end() || may_return => Self::Lives,
            _ => Self::as_state(&seen.state),
        }
    }

    fn as_state(state: &JobState) -> Self {
        match state {
            JobState::Completed => Self::Well,
            state => Self::Badly(format!("ended as {state}")),
        }
    }
}

fn of_job(cluster: &Cluster, edge: &Edge, survey: &Survey) -> End {
    // The accounting may lag behind what this process has seen.
    if let Some(state) = &edge.ended_as {
        return End::as_state(state);
    }
    if let Some(seen) = survey.seen.get(&edge.job) {
        return End::of(seen);
    }
    // No source knows the job any more, but its runner may have left a result.
    let result = cluster.backend().host().read(&JobDir::at(&edge.dir).result(), 0);
    let outcome = result.ok().flatten().and_then(|bytes| Some(Outcome::from_bytes(&bytes).ok()?.0));
    match outcome.map(|outcome| outcome.ending) {
        Some(Ending::Value(_)) => End::Well,
        Some(Ending::Failure(failure)) => End::Badly(format!("failed: {failure}")),
        None if traces::was_cancelled(cluster.backend().host(), &JobDir::at(&edge.dir))
            .unwrap_or_default() =>
        {
            End::as_state(&JobState::Cancelled)
        }
        None => End::Unknown,
    }
}

fn of_elements(cluster: &Cluster, edge: &Edge, elements: &Indices, survey: &Survey) -> End {
    let (mut lives, mut bad, mut missing) = (false, None, Vec::new());
    // A line about the whole array holds for elements without a line of their own, if no element has run. If one has
    // run, such a line may be the record of a single element, which the accounting prints like this for a moment.
    let none_ran = |seen: &&Sighting| seen.state.is_pending() || seen.state == JobState::Cancelled;
    let whole = survey.seen.get(&edge.job).filter(none_ran);
    for (first, last) in elements {
        let mut seen = vec![whole; (last - first) as usize + 1];
        let known = survey.elements.get(&edge.job).into_iter().flatten();
        for (indices, sighting) in known {
            for (from, to) in indices {
                // Of two sightings the later one holds.
                for index in (*from).max(*first)..=(*to).min(*last) {
                    seen[(index - first) as usize] = Some(sighting);
                }
            }
        }
        for (index, seen) in (*first..).zip(seen) {
            match seen.map(End::of) {
                Some(End::Badly(message)) => bad = Some(message),
                // The accounting may lag behind what this process has seen.
                Some(End::Lives) if edge.ended_as.is_none() => lives = true,
                Some(End::Well) => {}
                _ => missing.push(index),
            }
        }
    }
    // One that has failed decides at once whether all succeed, and only the last one whether all have ended.
    let needs_success = edge.kind == DependencyKind::AfterOk.as_str();
    match bad {
        Some(message) if needs_success || !lives => return End::Badly(message),
        _ if lives => return End::Lives,
        _ => {}
    }
    // Slurm forgets elements that were cancelled before they ran, and some clusters keep no accounting.
    left_by(cluster, edge, &missing)
}

/// How many segments are read at once.
const SEGMENTS: usize = 16;

/// How elements have ended that only their segments tell of.
fn left_by(cluster: &Cluster, edge: &Edge, missing: &[u32]) -> End {
    if missing.is_empty() || edge.element.is_none() && edge.ended_as == Some(JobState::Completed) {
        return End::Well;
    }
    let (host, dir) = (cluster.backend().host(), JobDir::at(&edge.dir));
    let text = host.read(&dir.job_json(), 0).ok().flatten().unwrap_or_default();
    let array = serde_json::from_slice::<Explanation>(&text).ok().and_then(|told| told.array);
    let (Some(array), Some((first, _))) = (array, edge.elements) else { return End::Unknown };
    for batch in missing.chunks(SEGMENTS) {
        let numbers: Vec<u64> = batch.iter().map(|index| first + u64::from(*index)).collect();
        let look = |number: &u64| host::Look::File { path: dir.segment(*number), offset: 0 };
        let looks: Vec<host::Look> = numbers.iter().map(look).collect();
        let Ok(found) = host.look(&looks, u64::MAX) else { return End::Unknown };
        for (number, found) in numbers.iter().zip(found) {
            let bytes = found.ok().and_then(Found::into_bytes).unwrap_or_default();
            let has_value = has_values(&bytes);
            let wanted = edge.element.and_then(|element| element.item);
            let share = array.items_per_element;
            let expected = share.min(array.items.saturating_sub(number.saturating_mul(share)));
            let bad = |item: u64| End::Badly(format!("failed: item {item}"));
            match wanted.map(|item| (item, has_value.get(&item))) {
                Some((_, Some(true))) => {}
                Some((item, Some(false))) => return bad(item),
                Some((item, None)) => return End::Badly(format!("left no value of item {item}")),
                None => {
                    if let Some((item, _)) = has_value.iter().find(|(_, well)| !**well) {
                        return bad(*item);
                    }
                    if (has_value.len() as u64) < expected {
                        return End::Badly("left no value of some items".to_owned());
                    }
                }
            }
        }
    }
    End::Well
}

/// Returns the items that have ended according to a segment, and whether each has a value.
fn has_values(segment: &[u8]) -> BTreeMap<u64, bool> {
    // A later run of the element may have tried an item again.
    let records = Records::new(segment, HEADER).filter_map(|record| match record.kind {
        RecordKind::Value => Some((record.index, true)),
        RecordKind::Failure => Some((record.index, false)),
        _ => None,
    });
    records.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_slurm_may_put_back_has_not_failed_while_the_queue_knows_it() {
        let lives = |source, state| {
            matches!(End::of(&Sighting { source, ..Sighting::of(state) }), End::Lives)
        };
        assert!(lives(Source::Queue, JobState::Preempted));
        assert!(!lives(Source::Accounting, JobState::Preempted));
        assert!(!lives(Source::Supervisor, JobState::NodeFail));
        assert!(!lives(Source::Queue, JobState::Failed));
    }
}
