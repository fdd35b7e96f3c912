//! The number of jobs ahead in the queue.

use std::collections::{BTreeSet, HashMap};

use slurm_core::ids::JobId;

use super::admit::{Waiting, waits_for_its_turn};
use super::scheduler::Scheduler;
use crate::backend::Ahead;
use crate::backend::local::protocol::Status;

impl Scheduler {
    /// Returns the states of jobs and arrays, and for waiting ones how many start before them.
    pub(super) fn survey(&self, ids: &[JobId]) -> Vec<Status> {
        let mut statuses: Vec<Status> = ids.iter().flat_map(|id| self.jobs.statuses(*id)).collect();
        let waits = |status: &Status| {
            status.state.is_pending() && waits_for_its_turn(status.reason.as_deref())
        };
        if statuses.iter().any(waits) {
            let ahead = self.ahead();
            for status in statuses.iter_mut().filter(|status| waits(status)) {
                // An element that was asked for by its own id stands where its array does.
                let entry = self.jobs.element(status.id).map_or(status.id, |(array, _)| array.id);
                status.ahead = ahead.get(&status.id).or_else(|| ahead.get(&entry)).copied();
            }
        }
        statuses
    }

    fn ahead(&self) -> HashMap<JobId, Ahead> {
        let running = self.unfinished.iter().filter_map(|id| self.jobs.get(*id)?.run.as_ref());
        let running = running.count() as u64;
        let queue: BTreeSet<(JobId, Waiting)> = self.waiting().collect();
        let mut waiting = 0;
        let mut ahead = HashMap::new();
        for (id, kind) in queue {
            let (reason, count) = match kind {
                Waiting::Job => (self.jobs.get(id).and_then(|job| job.reason.as_deref()), 1),
                Waiting::Array => {
                    let array = self.jobs.array(id);
                    let pending = array.map(|array| {
                        array.pending.iter().map(|range| u64::from(range.end() - range.start()) + 1)
                    });
                    let count = pending.into_iter().flatten().sum();
                    (array.and_then(|array| array.reason.as_deref()), count)
                }
            };
            // Jobs that wait for a dependency let the jobs behind them pass.
            if waits_for_its_turn(reason) {
                ahead.insert(id, Ahead { waiting, running });
                waiting += count;
            }
        }
        ahead
    }
}
