//! Decides dependencies on jobs that may have ended, before a job is submitted.
//!
//! slurmctld forgets a job some minutes after its end (`MinJobAge`). If a new job depends on a forgotten one,
//! Slurm up to 22.05 drops the dependency, so the new job runs even if the other one failed; Slurm from 23.02
//! on refuses the submission. So this module looks at the upstream jobs first. It removes a dependency that is
//! met, returns an error for a dependency that can never be met, and leaves only the others to Slurm. It does
//! not look at a job that was submitted moments ago and has not been seen to end. If a source does not answer,
//! it is asked again for minutes, because a missing answer decides nothing.

mod elements;
mod ends;

use std::collections::HashMap;
use std::time::Duration;

use slurm_core::backoff::Backoff;
use slurm_core::ids::JobId;
use slurm_core::options::{DependencyKind, OptionSet};
use slurm_core::outcome::MissingItem;

use self::ends::End;
use crate::backend::{Asked, Indices, Survey};
use crate::cluster::Cluster;
use crate::conclude;
use crate::error::{Error, Result, SubmitError, UpstreamFailure};
use crate::model::{Edge, EdgeElement};
use crate::poll::Obstacle;

/// Jobs that were submitted less than this ago are not looked at, unless `MinJobAge` is shorter.
const FRESH: Duration = Duration::from_secs(10);

/// The time for which every queue still knows a job. Slurm's manual asks for a `MinJobAge` of at least 2 s, so
/// the setting matters, and is asked for, only if a job is older.
const SURELY_KNOWN: Duration = Duration::from_secs(2);

/// The first and the longest pause after a question without an answer.
const PAUSES: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The dependencies to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Jobs that the queue may have forgotten.
    AtDoubtful,
    /// All jobs, because sbatch has just refused one of them.
    AtAll,
}

/// The decisions about the dependencies of a submission.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The edges that are left to Slurm.
    pub(crate) open: Vec<Edge>,
    /// Elements without success in arrays that the new array follows element by element: the array, the index
    /// and an item without a value. The elements that follow them must not run.
    pub(crate) refused: Vec<MissingItem>,
}

impl Settled {
    /// Returns the open edges of a submission whose elements can only run together.
    ///
    /// # Errors
    /// [`SubmitError::DependencyFailed`] if some of the elements must not run.
    pub(crate) fn for_all(self) -> Result<Vec<Edge>> {
        if self.refused.is_empty() {
            return Ok(self.open);
        }
        let mut upstream: Vec<UpstreamFailure> = Vec::new();
        for missing in &self.refused {
            let job = missing.job;
            if upstream.iter().all(|known| known.job != job) {
                let (task, message) = (missing.task.clone(), conclude::words_of(missing));
                upstream.push(UpstreamFailure { job, task, message });
            }
        }
        Err(SubmitError::DependencyFailed { upstream }.into())
    }
}

/// Decides the edges as far as possible.
///
/// # Errors
/// [`SubmitError::DependencyFailed`] if an edge can never be met; [`SubmitError::DependencyUnknown`] if no
/// source knows whether it was met; and any error of the backend.
pub(crate) fn open(
    cluster: &Cluster,
    options: &OptionSet,
    edges: &[Edge],
    look: Look,
) -> Result<Settled> {
    // The options may name another Slurm cluster.
    let there = &cluster.for_options(options);
    // Edges to jobs of another cluster are refused by `merged`.
    let is_doubtful = |edge: &Edge| {
        edge.not_of(cluster, options).is_none() && (look == Look::AtAll || !is_fresh(there, edge))
    };
    let (doubtful, others): (Vec<&Edge>, Vec<&Edge>) =
        edges.iter().partition(|edge| is_doubtful(edge));
    if doubtful.is_empty() {
        return Ok(Settled { open: edges.to_vec(), refused: Vec::new() });
    }
    let patience = there.backend().cadence().unconfirmed_after;
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    let mut decided = loop {
        let unanswered = match ask(there, &doubtful) {
            Ok(survey) => match settled(there, &doubtful, &survey) {
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
    decided.open.extend(others.into_iter().cloned());
    Ok(decided)
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

/// Decides the edges that the survey is about.
fn settled(cluster: &Cluster, asked: &[&Edge], survey: &Survey) -> Result<Settled> {
    let (mut settled, mut failed, mut unknown) = (Settled::default(), Vec::new(), None);
    for edge in asked.iter().copied() {
        match decide(cluster, edge, survey) {
            Decision::Open => settled.open.push(edge.clone()),
            Decision::MetByOthers(refused) => settled.refused.extend(refused),
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
        (true, None) => Ok(settled),
    }
}

/// Asks the backend about all edges at once.
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

/// Returns the elements of an edge to an array or to one element.
fn elements_of(edge: &Edge) -> Option<Indices> {
    match (edge.element, edge.elements) {
        (Some(EdgeElement { index, .. }), _) => Some(vec![(index, index)]),
        (None, Some((_, count @ 1..))) => Some(vec![(0, count - 1)]),
        _ => None,
    }
}

enum Decision {
    /// The upstream job has not ended, so Slurm decides.
    Open,
    Met,
    /// Met by all elements except these, of an array that the new array follows element by element.
    MetByOthers(Vec<MissingItem>),
    Failed(UpstreamFailure),
    /// No source knows; the reason.
    Unknown(String),
}

fn decide(cluster: &Cluster, edge: &Edge, survey: &Survey) -> Decision {
    let is = |kind: DependencyKind| edge.kind == kind;
    let elements = elements_of(edge);
    let end = match &elements {
        None => ends::of_job(cluster, edge, survey),
        Some(elements) => elements::of_elements(cluster, edge, elements, survey),
    };
    let needs_failure = is(DependencyKind::AfterNotOk);
    let needs_success = is(DependencyKind::AfterOk) || is(DependencyKind::AfterCorr);
    // If values are taken element by element, the runner decides for each element; the queue decides while it
    // knows the array.
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
            let all = edge.elements.map_or(0, |(_, count)| count as usize);
            if by_element
                && let Some(elements) = &elements
                && let Some(without) = elements::without_success(cluster, edge, elements, survey)
                && without.len() < all
            {
                return Decision::MetByOthers(without);
            }
            told(cluster, edge).map_or_else(|| failed(edge, message), Decision::Failed)
        }
        End::Unknown => Decision::Unknown(format!("it left no result; {}", survey.testimony)),
    }
}

fn failed(edge: &Edge, message: String) -> Decision {
    Decision::Failed(UpstreamFailure { job: edge.job, task: edge.task.clone(), message })
}

/// Returns the failure of the dependency with its root failure.
fn told(cluster: &Cluster, edge: &Edge) -> Option<UpstreamFailure> {
    conclude::upstream(cluster.backend(), std::slice::from_ref(edge)).pop()
}
