//! Which of those that wait may start.
//!
//! Jobs start in the order of their submission, and elements of an array in the order of their indices.
//! A job whose dependencies are not met lets others pass, and so does an array of which as many run as
//! may; one that waits for resources does not, so that a large job is not kept out by small ones for
//! ever.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::correspond;
use super::dependency::{self, Verdict};
use super::scheduler::Scheduler;
use crate::backend::local::capacity::Capacity;

/// What no running job holds.
#[derive(Debug)]
struct Free {
    capacity: Capacity,
    /// By number.
    gpus: BTreeSet<u32>,
}

/// One in the queue; arrays come before jobs of the same id, which are elements of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Waiting {
    Array,
    Job,
}

const NEVER_SATISFIED: &str = "DependencyNeverSatisfied";

/// Starting a process takes about a millisecond; after as many, requests get their turn.
const STARTS_AT_ONCE: u32 = 64;

impl Scheduler {
    pub(super) fn start_what_fits(&mut self) {
        self.more = false;
        let (queue, mut free) = self.queue();
        let mut starts = STARTS_AT_ONCE;
        for (id, waiting) in queue {
            let flow = match waiting {
                Waiting::Job => self.admit_job(id, &mut free, &mut starts),
                Waiting::Array => self.admit_elements(id, &mut free, &mut starts),
            };
            if flow.is_break() {
                return;
            }
        }
        self.stuck_since = None;
    }

    /// Returns those that wait, in their order, and what is there for them.
    fn queue(&mut self) -> (BTreeSet<(JobId, Waiting)>, Free) {
        let jobs = &self.jobs;
        self.pending_arrays
            .retain(|id| jobs.array(*id).is_some_and(|array| !array.pending.is_empty()));
        let mut queue: BTreeSet<_> =
            self.pending_arrays.iter().map(|id| (*id, Waiting::Array)).collect();
        let mut free = Free { capacity: self.whole, gpus: (0..self.whole.gpus).collect() };
        for job in self.unfinished.iter().filter_map(|id| jobs.get(*id)) {
            match &job.run {
                Some(run) => free.take(run.granted, &run.gpus),
                None => drop(queue.insert((job.id, Waiting::Job))),
            }
        }
        (queue, free)
    }

    fn admit_job(&mut self, id: JobId, free: &mut Free, starts: &mut u32) -> ControlFlow<()> {
        let Some(job) = self.jobs.get(id) else { return ControlFlow::Continue(()) };
        let verdict = job.dependency.as_ref().map_or(Verdict::Met, |dependency| {
            let is_first = || self.is_first_of_name(id, &job.request.name);
            dependency::judge(dependency, &self.jobs, is_first)
        });
        let granted = job.request.needs.granted_of(self.whole);
        let job_within = job.request.within;
        match verdict {
            Verdict::Never => {
                self.end(id, JobState::Cancelled, Some(NEVER_SATISFIED.to_owned()), None);
                ControlFlow::Continue(())
            }
            Verdict::Waiting => {
                self.set_reason(id, "Dependency");
                ControlFlow::Continue(())
            }
            Verdict::Met => match free.grant(granted) {
                Some(gpus) => self.start_one(id, granted, gpus, free, starts),
                None => {
                    self.set_reason(id, "Resources");
                    if let Some(reason) = self.is_stuck(id, job_within) {
                        self.end(id, JobState::Cancelled, Some(reason), None);
                    }
                    ControlFlow::Break(())
                }
            },
        }
    }

    fn admit_elements(&mut self, id: JobId, free: &mut Free, starts: &mut u32) -> ControlFlow<()> {
        let Some(array) = self.jobs.array(id) else { return ControlFlow::Continue(()) };
        let is_first = || self.is_first_of_name(id, &array.request.name);
        let judged = correspond::judge(array, &self.jobs, *starts as usize, is_first);
        let granted = array.request.needs.granted_of(self.whole);
        let array_within = array.request.within;
        let mut room = array.max_running.map_or(u32::MAX, |most| {
            let running = self.jobs.live(array).filter(|job| job.run.is_some()).count();
            most.saturating_sub(running as u32)
        });
        if !judged.never.is_empty() {
            self.end_pending(id, &judged.never, JobState::Cancelled, Some(NEVER_SATISFIED));
        }
        for index in judged.met.into_iter().flatten() {
            let reason = match free.grant(granted) {
                _ if room == 0 => {
                    self.set_array_reason(id, "JobArrayTaskLimit");
                    return ControlFlow::Continue(());
                }
                None => "Resources",
                Some(gpus) => {
                    let Some(array) = self.jobs.array_mut(id) else { break };
                    let Some(element) = array.take(index) else { continue };
                    let element_id = element.id;
                    self.jobs.insert(element);
                    self.unfinished.insert(element_id);
                    room -= 1;
                    self.start_one(element_id, granted, gpus, free, starts)?;
                    continue;
                }
            };
            self.set_array_reason(id, reason);
            if let Some(reason) = self.is_stuck(id, array_within)
                && let Some(pending) = self.jobs.array(id).map(|array| array.pending.clone())
            {
                self.end_pending(id, &pending, JobState::Cancelled, Some(&reason));
            }
            return ControlFlow::Break(());
        }
        self.set_array_reason(id, "Dependency");
        ControlFlow::Continue(())
    }

    fn start_one(
        &mut self,
        id: JobId,
        granted: Capacity,
        gpus: Vec<u32>,
        free: &mut Free,
        starts: &mut u32,
    ) -> ControlFlow<()> {
        self.start(id, granted, gpus);
        if let Some(run) = self.jobs.get(id).and_then(|job| job.run.as_ref()) {
            free.take(run.granted, &run.gpus);
        }
        *starts = starts.saturating_sub(1);
        self.more = *starts == 0;
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

    fn set_reason(&mut self, id: JobId, reason: &str) {
        if let Some(job) = self.jobs.get_mut(id) {
            job.reason = Some(reason.to_owned());
        }
    }

    fn set_array_reason(&mut self, id: JobId, reason: &str) {
        if let Some(array) = self.jobs.array_mut(id) {
            array.reason = Some(reason.to_owned());
        }
    }
}

impl Free {
    /// Returns the GPUs that a job gets if it fits.
    fn grant(&self, wanted: Capacity) -> Option<Vec<u32>> {
        let free = Capacity { gpus: self.gpus.len() as u32, ..self.capacity };
        wanted
            .fits_into(free)
            .then(|| self.gpus.iter().copied().take(wanted.gpus as usize).collect())
    }

    fn take(&mut self, granted: Capacity, gpus: &[u32]) {
        self.capacity = self.capacity.less(granted);
        for gpu in gpus {
            self.gpus.remove(gpu);
        }
    }
}
