//! Running jobs that the supervisor before this one leaves.

use std::time::{Instant, SystemTime};

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::state::JobState;

use super::conclude::{asks_for_another_run, publish_value, state_by_files};
use super::identity::{self, Processes};
use super::job::{Alarms, LocalJob, Process};
use super::journal;
use super::marks::{self, Marks};
use super::process;
use super::replay::run_of;
use super::scheduler::{KILL_WAIT, Scheduler};
use crate::backend::local::gpus::Gpu;

impl Scheduler {
    /// Takes over all jobs that have not ended.
    pub(super) fn take_over_all(&mut self) {
        if self.unfinished.is_empty() && self.pending_arrays.is_empty() {
            return;
        }
        self.find_elements();
        let processes = Processes::now();
        let unfinished = self.unfinished.clone();
        for id in &unfinished {
            if let Some(job) = self.jobs.get_mut(*id) {
                find_processes(job, &processes);
            }
        }
        // A process that has ended since then may have left others, which it had not started yet.
        let processes = Processes::now();
        for id in unfinished {
            self.take_over(id, &processes);
        }
    }

    /// Makes jobs of elements that run although the journal does not say so.
    fn find_elements(&mut self) {
        for id in self.pending_arrays.clone() {
            let Some(array) = self.jobs.array(id).filter(|array| !array.pending.is_empty()) else {
                continue;
            };
            let ids = array.ids();
            for (element, restarts) in marks::runs_in(&JobDir::at(&array.request.dir)) {
                let is_pending = ids.contains(&element)
                    && self
                        .jobs
                        .array(id)
                        .zip(self.jobs.element(element))
                        .is_some_and(|(array, (_, index))| array.pending.contains(&index));
                if is_pending && let Some(job) = self.jobs.job_or_element(element) {
                    job.restarts = restarts;
                    self.unfinished.insert(element);
                }
            }
        }
    }

    /// Takes over a job if it was running.
    fn take_over(&mut self, id: JobId, all: &Processes) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let Some(run) = &mut job.run else { return };
        let ended = run.processes.iter().filter(|process| process.ended);
        ended.for_each(|process| all.end_rest(id, process.identity));
        if run.processes.iter().all(|process| process.ended) {
            self.conclude_alone(id);
            return;
        }
        let alive = run.processes.iter().filter(|process| !process.ended);
        for process in alive {
            process::watch_adopted(id, process.identity, self.events.clone());
        }
        let ago = |at: Option<SystemTime>| at.and_then(|at| at.elapsed().ok());
        run.alarms = match &run.ending {
            None => {
                let warned_ago = run.warned_at.map(|at| ago(Some(at)).unwrap_or_default());
                Alarms::new(&job.request, ago(job.started_at).unwrap_or_default(), warned_ago)
            }
            Some((_, at)) => {
                let left = KILL_WAIT.saturating_sub(ago(journal::time(*at)).unwrap_or_default());
                Alarms { kill: Some(Instant::now() + left), ..Alarms::default() }
            }
        };
        let marks = Marks::of(job);
        let Some(run) = &job.run else { return };
        let mut ended = run.processes.iter().filter(|process| process.ended);
        if !marks.never_began() && ended.any(|process| !marks.has_ended_well(process.rank)) {
            // The other processes would wait for it without end.
            self.stop(id, JobState::Failed);
        }
    }

    /// Ends a job whose processes ended without a supervisor.
    fn conclude_alone(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        let Some(run) = &job.run else { return };
        if asks_for_another_run(job) {
            self.requeue(id);
            return;
        }
        let told = run.ending.as_ref().map(|(state, _)| state.clone());
        if told.is_none() && Marks::of(job).never_began() {
            self.put_back(id);
            return;
        }
        let same_boot = run.boot.is_none() || run.boot == identity::boot();
        let by_itself = if same_boot { JobState::Failed } else { JobState::NodeFail };
        // A job that was told to end but had just finished by itself counts as finished.
        let state = match (state_by_files(job), told) {
            (Some(JobState::Completed), _) => JobState::Completed,
            (natural, told) => told.or(natural).unwrap_or(by_itself),
        };
        if state == JobState::Completed {
            publish_value(job);
        }
        self.end(id, state, Some("its supervisor was gone when it ended".to_owned()), None);
    }
}

/// Notes which processes of a job have ended, and looks for those that the journal does not name: lines of
/// it may be missing.
fn find_processes(job: &mut LocalJob, all: &Processes) {
    let known = job.run.as_ref().map_or(0, |run| run.processes.len());
    if known < job.request.tasks as usize {
        let found = all.of(&job.request.script);
        // Elements of an array run the same script.
        let found = found.filter(|found| job.element.is_none() || found.is_of_job(job.id));
        let found: Vec<_> = found.collect();
        let has_begun =
            || Marks::of(job).are_there() || job.element.is_none() && marks::was_entered(job);
        if job.run.is_none() && found.is_empty() && !has_begun() {
            return;
        }
        if job.started_at.is_none() {
            job.started_at = Some(Marks::of(job).began_at().unwrap_or_else(SystemTime::now));
        }
        let gpus = job.request.gpus.clone();
        let run = run_of(job);
        if run.gpus.is_empty()
            && let Some(names) = found.first().and_then(|found| found.variable("SLURM_JOB_GPUS"))
        {
            let has = |gpu: &&Gpu| names.split(',').any(|name| name == gpu.name);
            run.gpus = gpus.iter().filter(has).cloned().collect();
        }
        for found in found {
            if run.processes.iter().all(|process| process.identity != found) {
                let rank = found.variable("SLURM_PROCID").and_then(|rank| rank.parse().ok());
                run.processes.push(Process::new(rank.unwrap_or(u32::MAX), found));
            }
        }
    }
    for process in job.run.iter_mut().flat_map(|run| &mut run.processes) {
        process.ended = !process.identity.is_alive();
    }
}
