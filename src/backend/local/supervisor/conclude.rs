//! How a job ended.

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Outcome};
use slurm_core::state::JobState;

use super::job::LocalJob;
use super::log;
use super::scheduler::Scheduler;
use crate::backend::Exit;

impl Scheduler {
    /// Ends a job whose processes have all ended.
    pub(super) fn conclude(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        let Some(run) = &job.run else { return };
        let known: Option<Vec<Exit>> = run.processes.iter().map(|process| process.exit).collect();
        let bad =
            known.as_ref().and_then(|exits| exits.iter().find(|exit| **exit != Exit::default()));
        let natural = match (&known, bad) {
            (Some(_), None) => JobState::Completed,
            (Some(_), Some(_)) => JobState::Failed,
            // Adopted processes: only what they wrote tells.
            (None, _) => state_by_files(job).unwrap_or(JobState::Failed),
        };
        // One that was told to end but had just finished by itself has finished.
        let state = match &run.ending {
            Some((ending, _)) if natural != JobState::Completed => ending.clone(),
            _ => natural,
        };
        if state == JobState::Completed {
            publish_value(job);
        }
        let exit = bad.copied().or(known.map(|_| Exit::default()));
        self.end(id, state, None, exit);
    }
}

/// Returns how a job ended whose processes have all ended, nobody knows how.
pub(super) fn state_by_files(job: &LocalJob) -> Option<JobState> {
    if job.element.is_some() {
        // The directory's result is not that of one element.
        return None;
    }
    let dir = JobDir::at(&job.request.dir);
    let Ok(bytes) = std::fs::read(dir.result()) else {
        // That the first of several processes succeeded says nothing of others that were told to end.
        let was_told = job.run.as_ref().is_some_and(|run| run.ending.is_some());
        let succeeded = job.request.tasks > 1 && !was_told && dir.value().exists();
        return succeeded.then_some(JobState::Completed);
    };
    let (outcome, _) = Outcome::from_bytes(&bytes).ok()?;
    Some(match outcome.ending {
        Ending::Value(_) => JobState::Completed,
        Ending::Failure(_) => JobState::Failed,
    })
}

/// Makes the value of the first of several processes the job's result: all have ended well.
pub(super) fn publish_value(job: &LocalJob) {
    if job.element.is_some() {
        return;
    }
    let dir = JobDir::at(&job.request.dir);
    // Without a value the first process has written none, which the client tells by itself.
    if job.request.tasks > 1
        && dir.value().exists()
        && let Err(error) = std::fs::rename(dir.value(), dir.result())
    {
        log(&format!("the value of job {} cannot become its result: {error}", job.id));
    }
}
