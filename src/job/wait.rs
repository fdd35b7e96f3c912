//! Waiting for the end and the value of a job.

use std::time::{Duration, Instant};

use slurm_core::outcome::{Ending, Outcome, RunReport};
use slurm_core::state::JobState;

use super::Job;
use crate::conclude;
use crate::error::{Error, Result};
use crate::poll::{Subject, Verdict};
use crate::progress::{self, Reporter, View};

impl<T> Job<T> {
    /// Waits until the job has ended, with or without success, and returns its last state.
    ///
    /// # Errors
    /// If the backend cannot be asked.
    pub fn wait(&self) -> Result<JobState> {
        self.verdict(None).map(Verdict::state)
    }

    /// Waits for the job and returns its value.
    ///
    /// # Errors
    /// [`Error::Job`] if it ended without a value. [`Error::Ssh`] if the login node no longer accepts this
    /// process; the job keeps running, and another process can attach to it.
    pub fn result(&self) -> Result<T> {
        self.value_of(self.verdict(None)?)
    }

    /// Waits for the job, at most `limit`, and returns its value. If the time runs out, the job keeps running.
    ///
    /// # Errors
    /// [`Error::StillRunning`] if it has not ended by then; otherwise the errors of [`result`](Self::result).
    pub fn result_timeout(&self, limit: Duration) -> Result<T> {
        self.value_of(self.verdict(Some(limit))?)
    }

    /// Waits for the job and returns where and when it ran.
    ///
    /// # Errors
    /// [`Error::Job`] if it left no outcome. A failed function leaves one too.
    pub fn report(&self) -> Result<RunReport> {
        match self.verdict(None)? {
            Verdict::Outcome(bytes) => Outcome::from_bytes(bytes)
                .map(|(outcome, _)| outcome.run)
                .map_err(|error| conclude::unreadable(self, &error).into()),
            other => Err(conclude::without_outcome(self, other).into()),
        }
    }

    fn verdict(&self, limit: Option<Duration>) -> Result<&Verdict> {
        self.check_is_real()?;
        if let Some(verdict) = self.watch.verdict() {
            return verdict;
        }
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        let poller = self.cluster.poller();
        let _watch = poller.watch(self.watch.clone())?;
        let about = self.handle.about(&self.cluster);
        let mut reporter = Reporter::new(self.cluster.progress(), about, &self.tale);
        let verdict = loop {
            let until = progress::earlier(deadline, reporter.next());
            if let Some(verdict) = poller.wait(until, || self.watch.verdict()) {
                reporter.end(|| self.view());
                break verdict;
            }
            if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                // Short waits in a loop must not print a line each.
                reporter.pause(|| self.view());
                let waited = limit.unwrap_or_default();
                let known = Box::new(self.watch.last_known());
                break Err(Error::StillRunning { id: self.id(), waited, known });
            }
            reporter.tick(|| self.view());
        };
        drop(reporter);
        if let Ok(verdict) = &verdict {
            let ended = || self.cluster.callbacks().on_ended(&self.handle, || verdict.state());
            self.told.call_once(ended);
        }
        verdict
    }

    fn view(&self) -> View {
        let (progress, statuses) = (self.watch.progress(), self.watch.statuses());
        View { progress, statuses, silences: self.cluster.poller().silences() }
    }

    fn value_of(&self, verdict: &Verdict) -> Result<T> {
        let Verdict::Outcome(bytes) = verdict else {
            return Err(conclude::without_outcome(self, verdict).into());
        };
        let (outcome, frame) =
            Outcome::from_bytes(bytes).map_err(|error| conclude::unreadable(self, &error))?;
        match outcome.ending {
            Ending::Failure(failure) => {
                let run = &outcome.run;
                let (node, restarts) = (Some(run.node.as_str()), Some(run.restart_count));
                Err(conclude::failed(self, *failure, node, restarts).into())
            }
            Ending::Value(_)
                if frame.task != self.handle.task || frame.signature != self.handle.signature =>
            {
                Err(conclude::foreign(self, frame.task).into())
            }
            Ending::Value(value) => {
                (self.decode)(&value).map_err(|error| conclude::undecodable(self, &error).into())
            }
        }
    }
}
