//! Which of those that wait may start.
//!
//! Jobs start in the order of their submission, and elements of an array in the order of their indices.
//! A job whose dependencies are not met lets others pass, and so does an array of which as many run as
//! may. A job that waits for resources does not, so that small jobs never keep a large one out; those
//! behind it have the reason `Priority`, as on Slurm.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::correspond;
use super::dependency::{self, Verdict};
use super::scheduler::Scheduler;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Gpu;
use crate::backend::local::protocol::JobRequest;

/// What no running job holds.
#[derive(Debug)]
struct Free {
    capacity: Capacity,
    /// The GPUs that are not.
    taken: BTreeSet<String>,
}

/// An entry of the queue; arrays come before jobs of the same id, which are elements of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiting {
    Array,
    Job,
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

/// Whether a job with this reason starts as soon as those before it have, and there are resources for it.
pub(super) fn waits_for_its_turn(reason: Option<&str>) -> bool {
    reason.is_none_or(|reason| matches!(reason, RESOURCES | PRIORITY))
}

/// Starting a process takes about a millisecond; after as many, requests get their turn.
const STARTS_AT_ONCE: u32 = 64;

impl Scheduler {
    pub(super) fn start_what_fits(&mut self) {
        self.more = false;
        let (queue, free) = self.queue();
        let mut pass = Pass { free, starts: STARTS_AT_ONCE, blocked: false };
        for (id, waiting) in queue {
            let flow = match waiting {
                Waiting::Job => self.admit_job(id, &mut pass),
                Waiting::Array => self.admit_elements(id, &mut pass),
            };
            if flow.is_break() {
                return;
            }
        }
        if !pass.blocked {
            self.stuck_since = None;
        }
    }

    /// Returns those that wait, in their order, and what is there for them.
    fn queue(&mut self) -> (BTreeSet<(JobId, Waiting)>, Free) {
        let jobs = &self.jobs;
        self.pending_arrays
            .retain(|id| jobs.array(*id).is_some_and(|array| !array.pending.is_empty()));
        let mut free = Free { capacity: self.whole, taken: BTreeSet::new() };
        let runs = self.unfinished.iter().filter_map(|id| jobs.get(*id)?.run.as_ref());
        runs.for_each(|run| free.take(run.granted, &run.gpus));
        (self.waiting().collect(), free)
    }

    /// Returns those that wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = (JobId, Waiting)> {
        let waits = |id: &&JobId| self.jobs.get(**id).is_some_and(|job| job.run.is_none());
        let jobs = self.unfinished.iter().filter(waits).map(|id| (*id, Waiting::Job));
        let is_left =
            |id: &&JobId| self.jobs.array(**id).is_some_and(|array| !array.pending.is_empty());
        let arrays = self.pending_arrays.iter().filter(is_left).map(|id| (*id, Waiting::Array));
        arrays.chain(jobs)
    }

    fn admit_job(&mut self, id: JobId, pass: &mut Pass) -> ControlFlow<()> {
        let Some(job) = self.jobs.get(id) else { return ControlFlow::Continue(()) };
        let verdict = job.dependency.as_ref().map_or(Verdict::Met, |dependency| {
            let is_first = || self.is_first_of_name(id, &job.request.name);
            dependency::judge(dependency, &self.jobs, is_first)
        });
        let granted = self.granted(&job.request);
        let gpus = job.request.gpus.clone();
        let job_within = job.request.within;
        match verdict {
            Verdict::Never => {
                self.end(id, JobState::Cancelled, Some(NEVER_SATISFIED.to_owned()), None);
            }
            Verdict::Waiting => self.set_reason(id, DEPENDENCY),
            Verdict::Met if pass.blocked => self.set_reason(id, PRIORITY),
            Verdict::Met => match pass.free.grant(granted, &gpus) {
                Some(gpus) => return self.start_one(id, granted, gpus, pass),
                None => {
                    self.set_reason(id, RESOURCES);
                    if let Some(reason) = self.is_stuck(id, job_within) {
                        self.end(id, JobState::Cancelled, Some(reason), None);
                        // The jobs behind it have to be looked at again.
                        self.more = true;
                        return ControlFlow::Break(());
                    }
                    pass.blocked = true;
                }
            },
        }
        ControlFlow::Continue(())
    }

    fn admit_elements(&mut self, id: JobId, pass: &mut Pass) -> ControlFlow<()> {
        let Some(array) = self.jobs.array(id) else { return ControlFlow::Continue(()) };
        let is_first = || self.is_first_of_name(id, &array.request.name);
        let judged = correspond::judge(array, &self.jobs, pass.starts as usize, is_first);
        let granted = self.granted(&array.request);
        let gpus = array.request.gpus.clone();
        let array_within = array.request.within;
        let mut room = array.max_running.map_or(u32::MAX, |most| {
            let running = self.jobs.live(array).filter(|job| job.run.is_some()).count();
            most.saturating_sub(running as u32)
        });
        if !judged.never.is_empty() {
            self.end_pending(id, &judged.never, JobState::Cancelled, Some(NEVER_SATISFIED));
        }
        for index in judged.met.into_iter().flatten() {
            if room == 0 || pass.blocked {
                let reason = if room == 0 { TASK_LIMIT } else { PRIORITY };
                self.set_array_reason(id, reason);
                return ControlFlow::Continue(());
            }
            if let Some(gpus) = pass.free.grant(granted, &gpus) {
                let Some(array) = self.jobs.array_mut(id) else { break };
                let Some(element) = array.take(index) else { continue };
                let element_id = element.id;
                self.jobs.insert(element);
                self.unfinished.insert(element_id);
                room -= 1;
                self.start_one(element_id, granted, gpus, pass)?;
                continue;
            }
            self.set_array_reason(id, RESOURCES);
            if let Some(reason) = self.is_stuck(id, array_within)
                && let Some(pending) = self.jobs.array(id).map(|array| array.pending.clone())
            {
                self.end_pending(id, &pending, JobState::Cancelled, Some(&reason));
                self.more = true;
                return ControlFlow::Break(());
            }
            pass.blocked = true;
            return ControlFlow::Continue(());
        }
        self.set_array_reason(id, DEPENDENCY);
        ControlFlow::Continue(())
    }

    fn start_one(
        &mut self,
        id: JobId,
        granted: Capacity,
        gpus: Vec<Gpu>,
        pass: &mut Pass,
    ) -> ControlFlow<()> {
        self.start(id, granted, gpus);
        if let Some(run) = self.jobs.get(id).and_then(|job| job.run.as_ref()) {
            pass.free.take(run.granted, &run.gpus);
        }
        pass.starts = pass.starts.saturating_sub(1);
        self.more = pass.starts == 0;
        if self.more { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Whether no job or array of this name from before `id` is left.
    fn is_first_of_name(&self, id: JobId, name: &str) -> bool {
        let jobs = self.unfinished.range(..id).filter_map(|id| self.jobs.get(*id));
        let arrays = self.pending_arrays.range(..id).filter_map(|id| self.jobs.array(*id));
        let arrays = arrays.filter(|array| !array.pending.is_empty());
        let mut requests = jobs.map(|job| &job.request).chain(arrays.map(|array| &array.request));
        requests.all(|request| request.name != name)
    }

    /// Returns the most resources that a job can have.
    pub(super) fn whole_for(&self, request: &JobRequest) -> Capacity {
        Capacity { gpus: request.gpus.len() as u32, ..self.whole }
    }

    /// Returns the resources that a job gets.
    fn granted(&self, request: &JobRequest) -> Capacity {
        request.needs.granted_of(self.whole_for(request))
    }

    fn set_reason(&mut self, id: JobId, reason: &str) {
        if let Some(job) = self.jobs.get_mut(id) {
            set(&mut job.reason, reason);
        }
    }

    fn set_array_reason(&mut self, id: JobId, reason: &str) {
        if let Some(array) = self.jobs.array_mut(id) {
            set(&mut array.reason, reason);
        }
    }
}

/// Every entry of the queue gets its reason each time that something happens, mostly the one that it has.
fn set(reason: &mut Option<String>, word: &str) {
    if reason.as_deref() != Some(word) {
        *reason = Some(word.to_owned());
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
