//! What time does to running jobs: warnings, time limits, the end of patience, and looks at their memory.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::entry::Entry;
use super::event::{Action, Limited, Moment, Reach};
use super::job::{Alarms, Job};
use super::state::Core;

/// Between SIGTERM and SIGKILL.
pub(super) const KILL_WAIT: Duration = Duration::from_secs(5);
/// Until the next look at a process that does not handle its warning signal yet.
const SOON: Duration = Duration::from_millis(10);
/// Between two looks at the memory of jobs.
const PAUSE: Duration = Duration::from_millis(200);

impl Core {
    /// Does what time has made possible: alarms go off and jobs start.
    pub(super) fn tick(&mut self, now: Moment) {
        let alarmed = self.jobs.running().filter(|job| is_due(job.alarms.next(), now));
        let alarmed: Vec<JobId> = alarmed.map(|job| job.id).collect();
        alarmed.into_iter().for_each(|id| self.alarm(id, now));
        self.measure(now.at);
        self.start_what_fits(now);
    }

    fn alarm(&mut self, id: JobId, now: Moment) {
        let Some(job) = self.jobs.job_mut(id) else { return };
        if is_due(job.alarms.kill, now) {
            job.alarms.kill = None;
            let (processes, signal) = (job.alive(), Signal::KILL);
            self.act(Action::Signal { processes, signal, reach: Reach::Group });
        } else if is_due(job.alarms.warn, now) {
            match warning(job) {
                // The script and the runner handle these within moments, and would die of them before.
                Some(signal @ (Signal::USR1 | Signal::USR2)) => {
                    let processes = job.alive();
                    self.act(Action::AskHandlers { job: id, processes, signal });
                }
                _ => self.handlers(id, true, now),
            }
        } else if is_due(job.alarms.limit, now) {
            self.stop(id, JobState::Timeout, now);
        }
    }

    /// Warns a job if all of its processes handle the signal, and ends it if its limit is due as well.
    pub(super) fn handlers(&mut self, id: JobId, ready: bool, now: Moment) {
        let Some(job) = self.jobs.job_mut(id) else { return };
        // An alarm that is not set has been overtaken: the job was told to end.
        if job.alarms.warn.is_none() {
            return;
        }
        let is_limit_due = is_due(job.alarms.limit, now);
        if ready {
            job.alarms.warn = None;
            let (processes, signal) = (job.alive(), warning(job));
            self.note(Entry::Warned { id, at: now.clock });
            if let Some(signal) = signal {
                // As Slurm does for the batch script. A command that the script runs before the task would die of it.
                self.act(Action::Signal { processes, signal, reach: Reach::Alone });
            }
        } else {
            job.alarms.warn = Some(now.at + SOON);
        }
        if is_limit_due {
            self.stop(id, JobState::Timeout, now);
        }
    }

    /// Tells a running job to end. It will have ended in `state`.
    pub(super) fn stop(&mut self, id: JobId, state: JobState, now: Moment) {
        self.stop_with(id, state, Signal::TERM, now);
    }

    fn stop_with(&mut self, id: JobId, state: JobState, signal: Signal, now: Moment) {
        let Some(job) = self.jobs.job(id).filter(|job| job.ending.is_none()) else { return };
        let processes = job.alive();
        // Before the signal: a supervisor that dies in between leaves a job that is killed in time.
        self.note(Entry::Ending { id, at: now.clock, state });
        if let Some(job) = self.jobs.job_mut(id) {
            job.alarms = Alarms { kill: now.at.checked_add(KILL_WAIT), ..Alarms::default() };
        }
        self.act(Action::Signal { processes, signal, reach: Reach::Group });
    }

    /// Returns when to look at the memory of jobs again, if any of them has a limit.
    pub(super) fn memory_alarm(&self, now: Instant) -> Option<Instant> {
        let is_limited = self.limited().next().is_some();
        is_limited.then(|| self.measured_at.map_or(now, |at| at + PAUSE))
    }

    fn measure(&mut self, now: Instant) {
        if self.memory_alarm(now).is_none_or(|alarm| alarm > now) {
            return;
        }
        self.measured_at = Some(now);
        let limited = self.limited().map(|job| Limited {
            job: job.id,
            leaders: job.processes.iter().map(|process| process.identity.pid).collect(),
            limit_mib: job.granted.memory_mib,
        });
        let limited = limited.collect();
        self.act(Action::Measure(limited));
    }

    /// Ends jobs that use more memory than they may.
    pub(super) fn over_limit(&mut self, jobs: &[JobId], now: Moment) {
        for id in jobs {
            self.stop_with(*id, JobState::OutOfMemory, Signal::KILL, now);
        }
    }

    /// Returns the running jobs that have a limit of memory and were not told to end.
    fn limited(&self) -> impl Iterator<Item = &Job> {
        let running = self.jobs.running();
        running.filter(|job| job.request.memory_is_limited && job.ending.is_none())
    }
}

fn is_due(alarm: Option<Instant>, now: Moment) -> bool {
    alarm.is_some_and(|at| at <= now.at)
}

/// Returns the warning signal that a job asks for.
fn warning(job: &Job) -> Option<Signal> {
    job.request.warning.and_then(|(number, _)| Signal::from_named_raw(number))
}
