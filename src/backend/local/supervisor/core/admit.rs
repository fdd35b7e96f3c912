//! Which elements that wait may start.
//!
//! Arrays start in the order of their submission, and elements of an array in the order of their indices.
//! An array whose dependencies are not met lets others pass, and so does an array that runs as many elements as
//! it may. An array that waits for resources does not, so that small jobs never keep a large one out; those
//! behind it have the reason `Priority`, as on Slurm.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::correspond;
use super::entry::Entry;
use super::event::{Action, Moment};
use super::job::{Alarms, Identity, Process};
use super::state::Core;
use crate::backend::Exit;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Gpu;
use crate::backend::local::protocol::JobRequest;

/// What no running job holds.
#[derive(Debug)]
struct Free {
    capacity: Capacity,
    /// The GPUs that running jobs hold.
    taken: BTreeSet<String>,
}

/// The free resources for the rest of the queue.
#[derive(Debug)]
struct Pass {
    free: Free,
    /// How many may still start before requests get their turn.
    starts: u32,
    /// A job in front waits for resources, so none behind it starts.
    blocked: bool,
}

const NEVER_SATISFIED: &str = "DependencyNeverSatisfied";
const DEPENDENCY: &str = "Dependency";
const RESOURCES: &str = "Resources";
const PRIORITY: &str = "Priority";
const TASK_LIMIT: &str = "JobArrayTaskLimit";

/// Whether an array with this reason starts as soon as those before it have, and there are resources for it.
pub(super) fn waits_for_its_turn(reason: Option<&str>) -> bool {
    reason.is_none_or(|reason| matches!(reason, RESOURCES | PRIORITY))
}

/// Starting a process takes about a millisecond; after as many, requests get their turn.
const STARTS_AT_ONCE: u32 = 64;

impl Core {
    pub(super) fn start_what_fits(&mut self, now: Moment) {
        self.more = false;
        let mut pass = Pass { free: self.free(), starts: STARTS_AT_ONCE, blocked: false };
        let queue: Vec<JobId> = self.jobs.waiting().map(|array| array.id).collect();
        for id in queue {
            if self.admit(id, &mut pass, now).is_break() {
                return;
            }
        }
        if !pass.blocked {
            self.stuck_since = None;
        }
    }

    fn free(&self) -> Free {
        let mut free = Free { capacity: self.machine.whole, taken: BTreeSet::new() };
        self.jobs.running().for_each(|job| free.take(job.granted, &job.gpus));
        free
    }

    fn admit(&mut self, id: JobId, pass: &mut Pass, now: Moment) -> ControlFlow<()> {
        let Some(array) = self.jobs.array(id) else { return ControlFlow::Continue(()) };
        let is_first = || self.jobs.is_first_of_name(id, &array.request.name);
        let wanted = pass.starts as usize;
        let judged = correspond::judge(array, &self.jobs, wanted, now.clock, is_first);
        let request = Arc::clone(&array.request);
        let granted = request.needs.granted_of(self.whole_for(&request));
        let mut room = array.max_running.map_or(u32::MAX, |most| {
            most.saturating_sub(self.jobs.running_of(array).count() as u32)
        });
        if !judged.never.is_empty() {
            self.end_pending(id, &judged.never, JobState::Cancelled, Some(NEVER_SATISFIED), now);
        }
        for index in judged.met.into_iter().flatten() {
            if room == 0 || pass.blocked {
                let reason = if room == 0 { TASK_LIMIT } else { PRIORITY };
                self.jobs.set_reason(id, Some(reason));
                return ControlFlow::Continue(());
            }
            let Some(gpus) = pass.free.grant(granted, &request.gpus) else {
                self.jobs.set_reason(id, Some(RESOURCES));
                return self.wait_for_resources(id, request.within, pass, now);
            };
            pass.free.take(granted, &gpus);
            room -= 1;
            self.start(id, index, granted, gpus, now);
            pass.starts = pass.starts.saturating_sub(1);
            if pass.starts == 0 {
                self.more = true;
                return ControlFlow::Break(());
            }
        }
        let waits = self.jobs.array(id).is_some_and(|array| !array.pending.is_empty());
        self.jobs.set_reason(id, waits.then_some(DEPENDENCY));
        ControlFlow::Continue(())
    }

    /// Keeps those behind an array from starting, or gives it up if its resources cannot become free.
    fn wait_for_resources(
        &mut self,
        id: JobId,
        within: Option<JobId>,
        pass: &mut Pass,
        now: Moment,
    ) -> ControlFlow<()> {
        if let Some(reason) = self.is_stuck(id, within, now.at)
            && let Some(pending) = self.jobs.array(id).map(|array| array.pending.clone())
        {
            self.end_pending(id, &pending, JobState::Cancelled, Some(&reason), now);
            // The arrays behind it have to be looked at again.
            self.more = true;
            return ControlFlow::Break(());
        }
        pass.blocked = true;
        ControlFlow::Continue(())
    }

    /// Starts an element. It counts as running from now on.
    fn start(&mut self, id: JobId, index: u32, granted: Capacity, gpus: Vec<Gpu>, now: Moment) {
        let Some(array) = self.jobs.array(id) else { return };
        let (restarts, boot) = (array.restarts_of(index), self.machine.boot.clone());
        let Some(job) = array.id_of(index) else { return };
        let at = now.clock;
        let entry = Entry::Started { id: job, at, restarts, boot, granted, gpus };
        let _ = self.replay(entry.clone());
        self.act(Action::Start { job, entry });
    }

    /// Notes the processes of a job that has started, or ends it if they cannot be started.
    pub(super) fn started(
        &mut self,
        id: JobId,
        processes: Result<Vec<(u32, Identity)>, String>,
        now: Moment,
    ) {
        match processes {
            Ok(processes) => {
                let Some(job) = self.jobs.job_mut(id) else { return };
                let processes = processes.into_iter();
                job.processes = processes.map(|(rank, of)| Process::new(rank, of)).collect();
                job.alarms = Alarms::new(&job.request, now.at, Duration::ZERO, None);
            }
            Err(error) => {
                let reason = format!("its processes cannot be started: {error}");
                // What Slurm reports when a job's files cannot be opened.
                let exit = Some(Exit { code: 0, signal: 53 });
                self.end(id, JobState::Failed, Some(reason), exit, now);
                // What it would have held is free.
                self.more = true;
            }
        }
    }

    /// Returns the most resources that a job can have.
    pub(super) fn whole_for(&self, request: &JobRequest) -> Capacity {
        Capacity { gpus: request.gpus.len() as u32, ..self.machine.whole }
    }
}

impl Free {
    /// Returns the GPUs that a job gets if it fits.
    fn grant(&self, wanted: Capacity, of: &[Gpu]) -> Option<Vec<Gpu>> {
        let free = of.iter().filter(|gpu| !self.taken.contains(&gpu.id));
        let gpus: Vec<Gpu> = free.take(wanted.gpus as usize).cloned().collect();
        let free = Capacity { gpus: gpus.len() as u32, ..self.capacity };
        wanted.fits_into(free).then_some(gpus)
    }

    fn take(&mut self, granted: Capacity, gpus: &[Gpu]) {
        self.capacity = self.capacity.less(granted);
        self.taken.extend(gpus.iter().map(|gpu| gpu.id.clone()));
    }
}
