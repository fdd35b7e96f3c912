//! Running jobs that the supervisor before this one leaves.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::state::JobState;

use super::conclude::{asks_for_another_run, publish_value, state_by_files};
use super::identity::{self, Ended, Processes};
use super::job::{Alarms, LocalJob, Process};
use super::journal;
use super::marks::{self, Marks};
use super::process;
use super::replay::run_of;
use super::scheduler::{KILL_WAIT, Scheduler};
use crate::backend::Exit;
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
        let mut ended = HashMap::new();
        for id in &unfinished {
            if let Some(job) = self.jobs.get_mut(*id) {
                find_run(job, &processes);
                ended.extend(ended_in(job));
            }
        }
        if !ended.is_empty() {
            identity::end_what_is_left(&ended);
        }
        for id in unfinished {
            self.take_over(id);
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
                    job.restarts = job.restarts.max(restarts);
                    self.unfinished.insert(element);
                }
            }
        }
    }

    /// Takes over a job if it was running.
    fn take_over(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let Some(run) = &mut job.run else { return };
        if run.processes.iter().all(|process| process.ended) {
            self.conclude_alone(id);
            return;
        }
        let marks = JobDir::at(&job.request.dir).run_marks(id, job.restarts);
        let alive = run.processes.iter().filter(|process| !process.ended);
        for process in alive {
            process::watch_adopted(id, marks.clone(), process, self.events.clone());
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
        let marks = Marks::of(job).found();
        let Some(run) = &job.run else { return };
        let mut ended = run.processes.iter().filter(|process| process.ended);
        if !marks.never_began() && ended.any(|process| process.exit != Some(Exit::default())) {
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
        if told.is_none() && Marks::of(job).found().never_began() {
            self.put_back(id);
            return;
        }
        let same_boot = run.boot.is_none() || run.boot == identity::boot();
        let by_itself = if same_boot { JobState::Failed } else { JobState::NodeFail };
        let exit =
            run.processes.iter().find_map(|process| process.exit.filter(|exit| exit.code != 0));
        let natural = exit.map(|_| JobState::Failed).or_else(|| state_by_files(job));
        // A job that was told to end but had just finished by itself counts as finished.
        let state = match (natural, told) {
            (Some(JobState::Completed), _) => JobState::Completed,
            (natural, told) => told.or(natural).unwrap_or(by_itself),
        };
        if state == JobState::Completed {
            publish_value(job);
        }
        let reason = exit.is_none().then(|| "its supervisor was gone when it ended".to_owned());
        self.end(id, state, reason, exit);
    }
}

/// Finds the latest run of a job and its processes, also those that the journal does not name: lines of it may be
/// missing.
fn find_run(job: &mut LocalJob, all: &Processes) {
    let dir = JobDir::at(&job.request.dir);
    let noted = marks::runs_in(&dir).into_iter().filter(|(id, _)| *id == job.id);
    let noted: Vec<u32> = noted.map(|(_, restarts)| restarts).collect();
    let running = all.latest_run(&dir.all_run_marks(), job.id);
    let latest = noted.iter().copied().chain(running).max();
    if let Some(latest) = latest.filter(|latest| *latest > job.restarts) {
        job.wait_again(latest);
    }
    for before in noted.into_iter().filter(|restarts| *restarts < job.restarts) {
        Marks { prefix: dir.run_marks(job.id, before) }.remove();
    }
    let marks = Marks::of(job);
    let found: Vec<_> = all.of(&marks.prefix).collect();
    let has_begun = || marks.are_there() || job.element.is_none() && marks::was_entered(job);
    if job.run.is_none() && found.is_empty() && !has_begun() {
        return;
    }
    if job.started_at.is_none() {
        job.started_at = Some(marks.began_at().unwrap_or_else(SystemTime::now));
    }
    let gpus = job.request.gpus.clone();
    let run = run_of(job);
    if run.gpus.is_empty()
        && let Some(names) = found.first().and_then(|(_, found)| found.variable("SLURM_JOB_GPUS"))
    {
        let has = |gpu: &&Gpu| names.split(',').any(|name| name == gpu.name);
        run.gpus = gpus.iter().filter(has).cloned().collect();
    }
    for (rank, found) in found {
        if run.processes.iter().all(|process| process.identity != found) {
            run.processes.push(Process::new(rank, found));
        }
    }
    for process in &mut run.processes {
        process.ended = !process.identity.is_alive();
    }
    // The marks are complete for those that have ended by now.
    let marks = marks.found();
    for process in run.processes.iter_mut().filter(|process| process.ended) {
        process.exit = marks.exit_of(process.rank);
    }
}

/// Returns the runs of a job of which processes have ended: those before its latest one, and that itself.
fn ended_in(job: &LocalJob) -> Vec<(PathBuf, Ended)> {
    /// A damaged number must not fill the memory.
    const MOST: u32 = 1000;
    let dir = JobDir::at(&job.request.dir);
    let before = job.restarts.saturating_sub(MOST)..job.restarts;
    let mut runs: Vec<_> =
        before.map(|restarts| (dir.run_marks(job.id, restarts), Ended::All)).collect();
    if let Some(run) = &job.run {
        let ended = run.processes.iter().filter(|process| process.ended);
        let ranks: Vec<u32> = ended.map(|process| process.rank).collect();
        let all = ranks.len() == run.processes.len();
        let ended = if all { Ended::All } else { Ended::Ranks(ranks) };
        runs.push((Marks::of(job).prefix, ended));
    }
    runs
}
