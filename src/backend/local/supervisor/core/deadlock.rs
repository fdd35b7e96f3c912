//! Jobs that can never run beside the workflows that wait for them.

use std::time::{Duration, Instant};

use slurm_core::ids::JobId;

use super::job::{Job, Parent};
use super::state::Core;
use crate::backend::NO_ROOM;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::JobRequest;

/// How long nothing but workflows with waiting jobs may run until one of those jobs is given up.
const STUCK: Duration = Duration::from_secs(20);

impl Core {
    /// Returns why a job can never run while the workflows that it belongs to do.
    pub(super) fn no_room_for(
        &self,
        request: &JobRequest,
        mut within: Option<Parent>,
    ) -> Option<String> {
        let mut held = Capacity::default();
        while let Some(parent) = within.map(Parent::id) {
            if let Some(job) = self.jobs.job(parent) {
                held = held.plus(job.granted);
            }
            within = self.jobs.find(parent).and_then(|(array, _)| array.within);
        }
        let whole = self.whole_for(request);
        let needs = request.needs.granted_of(whole);
        if needs.fits_into(whole.less(held)) {
            return None;
        }
        let told = |what: &str, needs: u64, held: u64, whole: u64| {
            (needs > whole.saturating_sub(held)).then(|| {
                format!("it needs {needs} {what} of {whole}, and the workflow holds {held}")
            })
        };
        told("CPUs", needs.cpus.into(), held.cpus.into(), whole.cpus.into())
            .or_else(|| told("MiB", needs.memory_mib, held.memory_mib, whole.memory_mib))
            .or_else(|| told("GPUs", needs.gpus.into(), held.gpus.into(), whole.gpus.into()))
    }

    /// Returns the deadlock reason for the first array in the queue, which the workflow `within` submitted, if
    /// only workflows with queued jobs have held resources for longer than `STUCK`.
    pub(super) fn is_stuck(
        &mut self,
        id: JobId,
        within: Option<JobId>,
        now: Instant,
    ) -> Option<String> {
        let waits = |workflow: &Job| {
            self.jobs.waiting().any(|array| array.request.within == Some(workflow.id))
        };
        let mut running = self.jobs.running().peekable();
        if within.is_none() || running.peek().is_none() || !running.all(waits) {
            self.stuck_since = None;
            return None;
        }
        match self.stuck_since {
            Some((stuck, since)) if stuck == id => (now.saturating_duration_since(since) >= STUCK)
                .then(|| {
                    self.stuck_since = None;
                    format!("{NO_ROOM}: workflows hold all resources and wait for jobs like it")
                }),
            _ => {
                self.stuck_since = Some((id, now));
                None
            }
        }
    }

    /// Returns when to look again at a job that seems stuck.
    pub(super) fn stuck_alarm(&self) -> Option<Instant> {
        self.stuck_since.map(|(_, since)| since + STUCK)
    }
}
