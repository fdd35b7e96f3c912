//! The number of jobs ahead in the queue.

use std::collections::HashMap;

use slurm_core::ids::JobId;

use super::admit::waits_for_its_turn;
use super::array::Array;
use super::state::Core;
use crate::backend::Ahead;
use crate::backend::local::protocol::Status;

impl Core {
    /// Returns the states of jobs and arrays, and for waiting ones how many start before them.
    pub(super) fn survey(&self, ids: &[JobId]) -> Vec<Status> {
        let host = &self.machine.host;
        let mut statuses: Vec<Status> =
            ids.iter().flat_map(|id| self.jobs.statuses(*id, host)).collect();
        let waits = |status: &Status| {
            status.state.is_pending() && waits_for_its_turn(status.reason.as_deref())
        };
        if statuses.iter().any(waits) {
            let ahead = self.ahead();
            for status in statuses.iter_mut().filter(|status| waits(status)) {
                // An element that was asked for by its own id stands where its array does.
                let array = self.jobs.find(status.id).map(|(array, _)| array.id);
                status.ahead = array.and_then(|id| ahead.get(&id)).copied();
            }
        }
        statuses
    }

    fn ahead(&self) -> HashMap<JobId, Ahead> {
        let running = self.jobs.running().count() as u64;
        let mut waiting = 0;
        let mut ahead = HashMap::new();
        // Arrays that wait for a dependency let those behind them pass.
        let waits = |array: &&Array| waits_for_its_turn(array.reason.as_deref());
        for array in self.jobs.waiting().filter(waits) {
            ahead.insert(array.id, Ahead { waiting, running });
            let ranges = array.pending.iter();
            waiting += ranges.map(|range| u64::from(range.end() - range.start()) + 1).sum::<u64>();
        }
        ahead
    }
}
