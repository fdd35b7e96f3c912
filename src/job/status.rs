//! The state of a job.

use std::sync::Arc;
use std::time::Instant;

use slurm_core::outcome::Outcome;
use slurm_core::state::JobState;

use super::Job;
use crate::backend::{Asked, Testimony, since_epoch, traces};
use crate::error::{Error, Result};
use crate::model::{Status, Warning};
use crate::poll::{End, Subject, Verdict, has_exited};

impl<T> Job<T> {
    /// Returns the job's state.
    ///
    /// The state is no older than a poll interval (half a second on Slurm, two round trips if they take longer,
    /// 20 ms on the embedded backend): calls within the interval return the last answer.
    /// [`refresh`](Self::refresh) always asks.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub fn state(&self) -> Result<JobState> {
        self.status().map(|status| status.state)
    }

    /// Returns the status of the job: its state, the reason with its meaning, nodes, start, and expected start.
    /// It costs as much as [`state`](Self::state), and is as old.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh).
    pub fn status(&self) -> Result<Status> {
        let is_open = self.watch.verdict().is_none();
        let interval = self.cluster.backend().cadence().survey.0;
        match self.watch.status().filter(|_| is_open && self.answer.holds(interval)) {
            Some(status) => Ok(status),
            None => self.refresh(),
        }
    }

    /// Returns whether the job has ended, with or without success. It costs as much as [`state`](Self::state).
    /// A job that no source knows has ended too.
    ///
    /// # Errors
    /// If the backend cannot be asked, or a source that may know the job did not answer.
    pub fn is_finished(&self) -> Result<bool> {
        // A lost job counts as ended, although no source has reported its end.
        if let Some(verdict) = self.watch.verdict() {
            return verdict.map(|_| true);
        }
        match self.state() {
            Ok(state) => Ok(state.is_terminal()),
            Err(Error::NoSuchJob { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Asks for the present status of the job, with at most one read and one question to the backend.
    ///
    /// # Errors
    /// If the backend cannot be asked. [`Error::NoSuchJob`] if every source has answered and none knows the
    /// job, or if the job is lost because no source has listed it for too long. [`Error::Unclear`] if a source
    /// that may know the job did not answer.
    pub fn refresh(&self) -> Result<Status> {
        self.check_is_real()?;
        let began = Instant::now();
        let id = self.id();
        let lost = |testimony: &Testimony| Error::NoSuchJob {
            wanted: id.to_string(),
            said: testimony.to_string(),
        };
        match self.watch.verdict().transpose()? {
            Some(Verdict::Ended(End::Lost(testimony))) => return Err(lost(testimony)),
            Some(verdict) => return Ok(status_of(verdict)),
            None => {}
        }
        let backend = self.cluster.backend();
        let outcome = backend.host().read(&self.dir().result(), 0)?.map(Arc::new);
        let exited = match outcome {
            Some(bytes) if has_exited(&bytes) => Some(bytes),
            Some(bytes) => return Ok(status_of(&Verdict::Outcome(bytes))),
            None => None,
        };
        let mut survey = backend.survey(&[Asked::job(id)])?;
        let lives = survey.seen.get(&id).is_some_and(|seen| !seen.is_end());
        // No source has its end, but a cancellation may have left a note.
        if self.watch.is_open_in(&survey) && traces::was_cancelled(backend.host(), &self.dir())? {
            self.watch.cancelled();
        }
        if let (Some(bytes), false) = (exited, lives) {
            return Ok(status_of(&Verdict::Outcome(bytes)));
        }
        // A loop over `refresh` finds a loss like a wait does.
        if let Some(testimony) = self.watch.is_lost_by(&survey, &backend.cadence()) {
            return Err(lost(&testimony));
        }
        match survey.seen.remove(&id) {
            Some(sighting) => {
                self.answer.answered(began);
                let jobs_ahead = survey.ahead.get(&id).map(|ahead| ahead.waiting);
                Ok(Status { jobs_ahead, ..sighting.status() })
            }
            None if self.watch.was_cancelled() => Ok(Status::of(JobState::Cancelled)),
            None => Err(survey.testimony.absence_of(id)),
        }
    }

    /// Returns the warnings about the job without asking the backend: the warnings of its submission, if this
    /// process submitted it, and that it can never start, if a wait or [`status`](Self::status) has seen that.
    ///
    /// Slurm decides only after the submission whether a job fits its partition and QOS, so this warning comes
    /// with the first look at the queue. A wait with progress output shows it; any other wait logs it.
    ///
    /// ```no_run
    /// # #[slurm::task]
    /// # fn train() {}
    /// # fn main() -> slurm::Result<()> {
    /// # let cluster = slurm::Cluster::slurm()?;
    /// let job = train::job().partition("short").time("2-00").submit(&cluster)?;
    /// job.status()?;
    /// for warning in job.warnings() {
    ///     eprintln!("job {}: {warning}", job.id());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn warnings(&self) -> Vec<Warning> {
        let explained = self.explanation.get().map_or(&[][..], |known| &known.warnings);
        Warning::all(explained, &self.said, &self.watch.statuses())
    }
}

/// Returns the status of a job that has ended.
fn status_of(verdict: &Verdict) -> Status {
    let state = verdict.state();
    match verdict {
        Verdict::Ended(End::Seen(sighting)) => Status { state, ..sighting.status() },
        Verdict::Outcome(bytes) => {
            let run = Outcome::from_bytes(bytes).ok().map(|(outcome, _)| outcome.run);
            let started = run.as_ref().and_then(|run| since_epoch(run.started_at / 1_000_000));
            Status { node: run.map(|run| run.node), started, ..Status::of(state) }
        }
        _ => Status::of(state),
    }
}
