//! Whether a job can run beside the workflow that waits for it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::Flow;
use crate::backend::{NO_ROOM, Sighting};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::poll::{JobWatch, Verdict};

/// When a workflow last looked.
#[derive(Debug, Default)]
pub(crate) struct Room(Mutex<Option<Instant>>);

/// How long a job may wait before anybody looks why, and then until the next look.
const FIRST: Duration = Duration::from_secs(10);
const NEXT: Duration = Duration::from_secs(300);
/// Between the looks of all threads of a workflow.
const BETWEEN: Duration = Duration::from_secs(5);

/// Waits until `watch` knows how `job` ended, or until `deadline`. A workflow that waits for a job which can
/// only run once the workflow has ended is told, and the job cancelled.
pub(crate) fn wait<'a>(
    cluster: &Cluster,
    job: JobId,
    watch: &'a JobWatch,
    deadline: Option<Instant>,
) -> Option<Result<&'a Verdict>> {
    let own = cluster.workflow().and_then(|flow| Some((flow, flow.job?)));
    let Some((flow, own)) = own else {
        return cluster.poller().wait(deadline, || watch.verdict());
    };
    let mut slice = FIRST;
    loop {
        let look_at = Instant::now() + slice;
        let until = deadline.map_or(look_at, |deadline| deadline.min(look_at));
        let verdict = cluster.poller().wait(Some(until), || watch.verdict());
        if verdict.is_some() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return verdict;
        }
        if let Some(reason) = no_room(cluster, flow, job, own) {
            if let Err(error) = cluster.backend().cancel(job, None) {
                return Some(Err(error));
            }
            let reason = Some(format!("{NO_ROOM}: {reason}"));
            let (state, nodes, exit) = (JobState::Cancelled, None, None);
            watch.give_up(Sighting { state, reason, nodes, exit });
        }
        slice = NEXT;
    }
}

/// Returns why `job` can never run beside the workflow's job `own`, if that is certain.
fn no_room(cluster: &Cluster, flow: &Flow, job: JobId, own: JobId) -> Option<String> {
    let mut last = flow.room.0.lock().unwrap_or_else(PoisonError::into_inner);
    if last.is_some_and(|last| last.elapsed() < BETWEEN) {
        return None;
    }
    let reason = cluster.backend().no_room_beside(job, own);
    *last = Some(Instant::now());
    reason.unwrap_or_else(|error| {
        log::warn!("cannot tell whether job {job} has room to run: {error}");
        None
    })
}
