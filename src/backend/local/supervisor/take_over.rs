//! Running jobs that the supervisor before this one leaves.

use std::time::{Duration, Instant, UNIX_EPOCH};

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::conclude::{asks_for_another_run, publish_value, state_by_files};
use super::job::{Alarms, LocalJob, Process};
use super::scheduler::{KILL_WAIT, Scheduler};
use super::{identity, process};

impl Scheduler {
    /// Takes over a job if it was running.
    pub(super) fn take_over(&mut self, id: JobId) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        find_processes(job);
        let Some(run) = &mut job.run else { return };
        if run.processes.iter().all(|process| process.ended) {
            if asks_for_another_run(job) {
                self.requeue(id);
                return;
            }
            let natural = state_by_files(job);
            let told = job.run.as_ref().and_then(|run| run.ending.clone()).map(|(state, _)| state);
            // One that was told to end but had just finished by itself has finished.
            let state = match (natural, told) {
                (Some(JobState::Completed), _) => JobState::Completed,
                (natural, told) => told.or(natural).unwrap_or(JobState::NodeFail),
            };
            if state == JobState::Completed {
                publish_value(job);
            }
            self.end(id, state, Some("its supervisor was gone when it ended".to_owned()), None);
            return;
        }
        for process in run.processes.iter().filter(|process| !process.ended) {
            process::watch_adopted(id, process.identity, self.events.clone());
        }
        run.alarms = match &run.ending {
            None => {
                let ago = job.started_at.and_then(|at| at.elapsed().ok()).unwrap_or_default();
                Alarms::new(&job.request, ago)
            }
            Some((_, at)) => {
                let told_at = UNIX_EPOCH.checked_add(Duration::from_secs(*at));
                let ago = told_at.and_then(|at| at.elapsed().ok()).unwrap_or_default();
                let kill = Some(Instant::now() + KILL_WAIT.saturating_sub(ago));
                Alarms { kill, ..Alarms::default() }
            }
        };
    }
}

/// Notes which processes of a job have ended, and looks for those that the journal does not name.
fn find_processes(job: &mut LocalJob) {
    let Some(run) = &mut job.run else { return };
    if run.processes.len() < job.request.tasks as usize {
        let found = identity::find(&job.request.script).into_iter();
        // Elements of an array run the same script.
        for found in found.filter(|found| job.element.is_none() || found.is_of_job(job.id)) {
            if run.processes.iter().all(|process| process.identity != found) {
                run.processes.push(Process::new(found));
            }
        }
    }
    for process in &mut run.processes {
        process.ended = !process.identity.is_alive();
    }
}
