//! Running jobs that the supervisor before this one has left.

use std::path::PathBuf;
use std::time::Duration;

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::state::JobState;

use super::alarms::KILL_WAIT;
use super::event::{Action, Moment};
use super::job::{Alarms, Job, RunFiles};
use super::left::{Ended, Found, SeenRun, Trace};
use super::state::Core;
use crate::backend::Exit;
use crate::backend::local::gpus::Gpu;

impl Core {
    /// Takes over the jobs of which the effects have found traces.
    pub(super) fn take_over(&mut self, traces: Vec<Trace>, now: Moment) {
        let mut runs = Vec::new();
        let mut left = Vec::new();
        for trace in traces {
            let id = trace.job;
            let Some((array, index)) = self.jobs.find(id) else { continue };
            let known = self.jobs.job(id).map(|job| job.restarts);
            let known = known.unwrap_or_else(|| array.restarts_of(index));
            let files = |restarts| RunFiles::of(array, id, index, restarts);
            let earlier: Vec<RunFiles> = trace.earlier.into_iter().map(files).collect();
            runs.extend(earlier_runs(&JobDir::at(&array.request.dir), id, trace.restarts));
            earlier.into_iter().for_each(|files| self.act(Action::RemoveMarks(files)));
            if trace.restarts > known {
                // The journal has lost the end of the run before.
                self.jobs.put_back(id, trace.restarts);
            }
            let Some(seen) = trace.run else { continue };
            if let Some(job) = self.jobs.run(id) {
                left.push((id, seen.found.clone()));
                adopt(job, seen, now);
                runs.extend(ended_processes(job));
            }
        }
        if !runs.is_empty() {
            self.act(Action::EndLeft(runs));
        }
        for (id, found) in left {
            self.watch(id, &found, now);
        }
    }

    /// Watches a run from now on, or ends it if it has ended.
    fn watch(&mut self, id: JobId, found: &Found, now: Moment) {
        let Some(job) = self.jobs.job_mut(id) else { return };
        let files = job.files();
        if job.processes.iter().all(|process| process.ended) {
            job.ended_alone = true;
            self.act(Action::Examine { files, outcome: true });
            return;
        }
        let ago = |at: u64| Duration::from_millis(now.clock.saturating_sub(at));
        job.alarms = match &job.ending {
            None => {
                let started = job.started_at.map(ago).unwrap_or_default();
                Alarms::new(&job.request, now.at, started, job.warned_at.map(ago))
            }
            Some((_, told)) => {
                let left = KILL_WAIT.saturating_sub(ago(*told));
                Alarms { kill: now.at.checked_add(left), ..Alarms::default() }
            }
        };
        let (ended, alive): (Vec<_>, Vec<_>) =
            job.processes.clone().into_iter().partition(|process| process.ended);
        for process in alive {
            self.act(Action::Watch { files: files.clone(), process });
        }
        let has_failed = ended.iter().any(|process| process.exit != Some(Exit::default()));
        if has_failed && !found.never_began() {
            // The other processes would wait for it without end.
            self.stop(id, JobState::Failed, now);
        }
    }
}

/// Updates a job from the traces of its run.
fn adopt(job: &mut Job, seen: SeenRun, now: Moment) {
    job.started_at = job.started_at.or(seen.began_at).or(Some(now.clock));
    if job.gpus.is_empty()
        && let Some(names) = seen.gpus
    {
        let has = |gpu: &&Gpu| names.split(',').any(|name| name == gpu.name);
        job.gpus = job.request.gpus.iter().filter(has).cloned().collect();
    }
    job.processes = seen.processes;
}

/// Returns the runs of a job before its latest one, which have ended.
fn earlier_runs(dir: &JobDir, id: JobId, restarts: u32) -> Vec<(PathBuf, Ended)> {
    /// A damaged number must not fill the memory.
    const MOST: u32 = 1000;
    let before = restarts.saturating_sub(MOST)..restarts;
    before.map(|restarts| (dir.run_marks(id, restarts), Ended::All)).collect()
}

/// Returns which processes of the latest run of a job have ended.
fn ended_processes(job: &Job) -> Option<(PathBuf, Ended)> {
    let ended = job.processes.iter().filter(|process| process.ended);
    let ranks: Vec<u32> = ended.map(|process| process.rank).collect();
    let all = ranks.len() == job.processes.len();
    if ranks.is_empty() && !all {
        return None;
    }
    Some((job.files().marks(), if all { Ended::All } else { Ended::Ranks(ranks) }))
}
