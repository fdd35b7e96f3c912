//! Jobs that can never run beside the workflows that wait for them.

use std::time::{Duration, Instant};

use slurm_core::ids::JobId;

use super::job::{LocalJob, Parent};
use super::scheduler::Scheduler;
use crate::backend::NO_ROOM;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::JobRequest;

/// How long nothing but workflows with waiting jobs may run until one of those jobs is given up.
const STUCK: Duration = Duration::from_secs(20);

impl Scheduler {
    /// Returns why a job can never run while the workflows that it belongs to do.
    pub(super) fn no_room_for(
        &self,
        request: &JobRequest,
        mut within: Option<Parent>,
    ) -> Option<String> {
        let mut held = Capacity::default();
        while let Some(job) = within.and_then(|parent| self.jobs.get(parent.id())) {
            if let Some(run) = &job.run {
                held = held.plus(run.granted);
            }
            within = job.within;
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

    /// Returns the deadlock reason for the first job in the queue, which the workflow `within` submitted, if
    /// only workflows with queued jobs have held resources for longer than `STUCK`.
    pub(super) fn is_stuck(&mut self, id: JobId, within: Option<JobId>) -> Option<String> {
        let jobs = || self.unfinished.iter().filter_map(|id| self.jobs.get(*id));
        let arrays = || self.pending_arrays.iter().filter_map(|id| self.jobs.array(*id));
        let waits = |workflow: &LocalJob| {
            let of_it = |request: &JobRequest| request.within == Some(workflow.id);
            jobs().any(|job| job.run.is_none() && of_it(&job.request))
                || arrays().any(|array| !array.pending.is_empty() && of_it(&array.request))
        };
        let mut running = jobs().filter(|job| job.run.is_some()).peekable();
        if within.is_none() || running.peek().is_none() || !running.all(waits) {
            self.stuck_since = None;
            return None;
        }
        match self.stuck_since {
            Some((stuck, since)) if stuck == id => (since.elapsed() >= STUCK).then(|| {
                self.stuck_since = None;
                format!("{NO_ROOM}: workflows hold all resources and wait for jobs like it")
            }),
            _ => {
                self.stuck_since = Some((id, Instant::now()));
                None
            }
        }
    }

    /// Returns when to look again at a job that seems stuck.
    pub(super) fn stuck_alarm(&self) -> Option<Instant> {
        self.stuck_since.map(|(_, since)| since + STUCK)
    }
}
