//! The ends of jobs behind dependencies.

use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Outcome};
use slurm_core::state::JobState;

use crate::backend::{Sighting, Source, Survey, traces};
use crate::cluster::Cluster;
use crate::model::Edge;

/// The end of an upstream job or of elements.
pub(super) enum End {
    Lives,
    Well,
    /// The message says how.
    Badly(String),
    Unknown,
}

impl End {
    pub(super) fn of(seen: &Sighting) -> Self {
        // Slurm may requeue the job, and a dependency on it holds while the queue knows it.
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

/// Returns how the single job behind `edge` has ended.
pub(super) fn of_job(cluster: &Cluster, edge: &Edge, survey: &Survey) -> End {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_slurm_may_requeue_has_not_failed_while_the_queue_knows_it() {
        let lives = |source, state| {
            matches!(End::of(&Sighting { source, ..Sighting::of(state) }), End::Lives)
        };
        assert!(lives(Source::Queue, JobState::Preempted));
        assert!(!lives(Source::Accounting, JobState::Preempted));
        assert!(!lives(Source::Supervisor, JobState::NodeFail));
        assert!(!lives(Source::Queue, JobState::Failed));
    }
}
