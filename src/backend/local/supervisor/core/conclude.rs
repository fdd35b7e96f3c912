//! How processes and jobs end.

use slurm_core::ids::JobId;
use slurm_core::state::JobState;
use slurm_runner::exit;

use super::array::End;
use super::entry::Entry;
use super::event::{Action, Moment};
use super::job::Job;
use super::left::{Found, Left};
use super::state::Core;
use crate::backend::Exit;

/// How a job ends of which a process ended by itself, with 0: as the batch script ends on Slurm.
const ENDED_BY_ITSELF: Exit = Exit { code: exit::EXITED as i32, signal: 0 };

/// Returns how one of several processes ended: with 0 only if its runner says that it has done its part.
fn end_of_part(exit: Exit) -> Exit {
    const PART_DONE: Exit = Exit { code: exit::PART_DONE as i32, signal: 0 };
    match exit {
        PART_DONE => Exit::default(),
        exit if exit == Exit::default() => ENDED_BY_ITSELF,
        exit => exit,
    }
}

impl Core {
    /// Records the end of a process, and the end of its job if it was the last process.
    pub(super) fn exited(
        &mut self,
        id: JobId,
        pid: u32,
        exit: Option<Exit>,
        found: &Found,
        now: Moment,
    ) {
        let Some(job) = self.jobs.job_mut(id) else { return };
        let exit = if job.request.tasks > 1 { exit.map(end_of_part) } else { exit };
        let mut processes = job.processes.iter_mut();
        let Some(process) = processes.find(|process| process.identity.pid == pid) else { return };
        process.ended = true;
        // If the process was adopted, only its mark tells how it ended.
        let is_known = exit.is_some();
        process.exit = exit.or_else(|| found.exit_of(process.rank));
        let failed = process.exit != Some(Exit::default()) && (is_known || !found.never_began());
        if failed && job.ending.is_none() {
            job.first_failure = process.exit;
        }
        if job.processes.iter().all(|process| process.ended) {
            let outcome = job.processes.iter().any(|process| process.exit.is_none());
            let files = job.files();
            self.act(Action::Examine { files, outcome });
        } else if failed {
            // As `srun --kill-on-bad-exit`: the others would wait for it without end.
            self.stop(id, JobState::Failed, now);
        }
    }

    /// Ends a job whose processes have all ended, or puts it back into the queue.
    pub(super) fn examined(&mut self, id: JobId, left: &Left, now: Moment) {
        let Some(job) = self.jobs.job_mut(id) else { return };
        job.entered = left.found.was_entered();
        let told = job.ending.as_ref().map(|(state, _)| state.clone());
        if left.wants_another_run && told != Some(JobState::Cancelled) {
            let restarts = job.restarts.saturating_add(1);
            self.act(Action::Commit(Entry::Requeued { id, restarts }));
            return;
        }
        let all_known = job.processes.iter().all(|process| process.exit.is_some());
        let may_not_have_begun = job.ended_alone || !all_known;
        if may_not_have_begun && told.is_none() && left.found.never_began() {
            let restarts = job.restarts;
            self.act(Action::Commit(Entry::Requeued { id, restarts }));
            return;
        }
        let (natural, exit) =
            if job.ended_alone { end_alone(job, left) } else { end_watched(job, left, all_known) };
        let (by_itself, reason) = match job.ended_alone {
            false => (JobState::Failed, None),
            true => {
                let is_same_boot = job.boot.is_none() || job.boot == self.machine.boot;
                let reason = "its supervisor was gone when it ended".to_owned();
                let state = if is_same_boot { JobState::Failed } else { JobState::NodeFail };
                (state, exit.is_none().then_some(reason))
            }
        };
        // A job that was told to end but had just finished by itself counts as finished.
        let state = match (natural, told) {
            (Some(JobState::Completed), _) => JobState::Completed,
            (natural, told) => told.or(natural).unwrap_or(by_itself),
        };
        if state == JobState::Completed && job.request.tasks > 1 {
            let files = job.files();
            self.act(Action::Publish(files));
        }
        self.end_run(id, state, reason, exit, now);
    }

    /// Puts a job back into the queue whose requeue is in the journal, or ends it if that failed.
    pub(super) fn committed(&mut self, entry: Entry, result: Result<(), String>, now: Moment) {
        let Some(job) = self.jobs.job(entry.id()) else { return };
        let (id, files) = (job.id, job.files());
        match result {
            Ok(()) => {
                let _ = self.replay(entry);
                // The marks of a run that has not begun stay until the next start: if the journal loses this line, they
                // still say that the job did not run.
                let is_same_run = self
                    .jobs
                    .find(id)
                    .is_some_and(|(array, index)| array.restarts_of(index) == files.restarts);
                if !is_same_run {
                    self.act(Action::RemoveMarks(files));
                }
            }
            Err(error) => {
                let reason = Some(format!("its requeue cannot be noted: {error}"));
                self.end_run(id, JobState::Failed, reason, None, now);
            }
        }
    }

    /// Ends a job that has run.
    fn end_run(
        &mut self,
        id: JobId,
        state: JobState,
        reason: Option<String>,
        exit: Option<Exit>,
        now: Moment,
    ) {
        let Some(files) = self.jobs.job(id).map(Job::files) else { return };
        self.note_end(id, state, reason, exit, now);
        // Until the end is noted, the marks prove that there was a run. Afterwards they mean nothing.
        self.act(Action::RemoveMarks(files));
        self.forget_of(id);
    }

    /// Ends a job that has not begun.
    pub(super) fn end(
        &mut self,
        id: JobId,
        state: JobState,
        reason: Option<String>,
        exit: Option<Exit>,
        now: Moment,
    ) {
        self.note_end(id, state, reason, exit, now);
        self.forget_of(id);
    }

    fn note_end(
        &mut self,
        id: JobId,
        state: JobState,
        reason: Option<String>,
        exit: Option<Exit>,
        now: Moment,
    ) {
        let entered = self.jobs.job(id).is_some_and(|job| job.entered);
        let end = End { state, reason, exit, entered };
        self.note(Entry::Ended { id, at: now.clock, end });
    }

    fn forget_of(&mut self, id: JobId) {
        if let Some(array) = self.jobs.find(id).map(|(array, _)| array.id) {
            self.forget_environment(array);
        }
    }
}

/// Returns how a job ended by itself while there was no supervisor, and with which exit code.
fn end_alone(job: &Job, left: &Left) -> (Option<JobState>, Option<Exit>) {
    // The journal may have lost the processes, which have left marks all the same.
    let by_mark = (0..job.request.tasks).filter_map(|rank| left.found.exit_of(rank));
    let exits = job.processes.iter().filter_map(|process| process.exit);
    let exit = exits.chain(by_mark).find(|exit| exit.code != 0);
    (exit.map(|_| JobState::Failed).or_else(|| left.outcome.clone()), exit)
}

/// Returns how a job ended by itself while a supervisor watched it, and with which exit code.
fn end_watched(job: &Job, left: &Left, all_known: bool) -> (Option<JobState>, Option<Exit>) {
    let mut exits = job.processes.iter().filter_map(|process| process.exit);
    let bad = exits.find(|exit| *exit != Exit::default());
    let bad = job.first_failure.or(bad);
    // One of several processes ended before the task had returned, if there is a failure although all ended with 0.
    let bad = bad.or_else(|| (all_known && left.failure).then_some(ENDED_BY_ITSELF));
    let natural = match (all_known, bad) {
        (_, Some(_)) => JobState::Failed,
        (true, None) => JobState::Completed,
        // The exit code of an adopted process is unknown, so its files decide.
        (false, None) => left.outcome.clone().unwrap_or(JobState::Failed),
    };
    (Some(natural), bad.or(all_known.then(Exit::default)))
}
