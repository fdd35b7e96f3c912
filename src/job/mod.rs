//! Submitted jobs.

mod attach;
mod edge;
mod handle;
mod logs;

use std::fmt;
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use once_cell::sync::OnceCell;
use slurm_core::codec::CodecError;
use slurm_core::events::{Event, EventKind};
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Failure, FailureKind, Outcome, RunReport};
use slurm_core::state::JobState;

use crate::backend::{Asked, Backend, Cancelled, Testimony, since_epoch, traces};
use crate::cluster::Cluster;
use crate::conclude::{self, Case, Entered};
use crate::error::{Error, Result, UpstreamFailure};
use crate::model::{Explanation, JobHandle, Status, Warning};
use crate::poll::{End, Freshness, JobWatch, Subject, Verdict, has_exited};
use crate::progress::{self, Reporter, Tale, View};

pub use handle::JobRef;
pub(crate) use logs::LONGEST_LOG;

/// A submitted call that will return a `T`.
///
/// Dropping the handle changes nothing: the job keeps running, and [`Cluster::attach`] finds it again, also
/// from another process.
pub struct Job<T> {
    cluster: Cluster,
    handle: JobHandle,
    decode: fn(&[u8]) -> Result<T, CodecError>,
    explanation: OnceCell<Explanation>,
    watch: Arc<JobWatch>,
    /// Calls the callbacks for its end once.
    told: Once,
    /// Progress output of the waits for this job.
    tale: Tale,
    /// When this process began to submit it, if it did.
    submitted_at: Option<Instant>,
    /// The time of the last answer about its state.
    answer: Freshness,
    /// The lines that sbatch printed when this process submitted it.
    said: Vec<String>,
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("handle", &self.handle).finish_non_exhaustive()
    }
}

impl<T> Job<T> {
    pub(crate) fn new(
        cluster: Cluster,
        handle: JobHandle,
        decode: fn(&[u8]) -> Result<T, CodecError>,
        explanation: Option<Explanation>,
    ) -> Self {
        let explanation = explanation.map_or_else(OnceCell::new, OnceCell::with_value);
        let cluster = cluster.at(handle.cluster.as_deref());
        let result = JobDir::at(&handle.dir).result();
        let watch = Arc::new(JobWatch::new(handle.job_id, result));
        Self {
            cluster,
            handle,
            decode,
            explanation,
            watch,
            told: Once::new(),
            tale: Tale::default(),
            submitted_at: None,
            answer: Freshness::default(),
            said: Vec::new(),
        }
    }

    /// Returns the job with the time at which its submission began, which may have taken long, and the lines of
    /// sbatch.
    pub(crate) fn submitted(self, began: Instant, said: Vec<String>) -> Self {
        Self { submitted_at: Some(began), said, ..self }
    }

    /// Returns the job's id.
    pub fn id(&self) -> JobId {
        self.handle.job_id
    }

    /// Returns the submission's id. It stays unique when Slurm reuses job ids.
    pub fn submission_id(&self) -> &SubmissionId {
        &self.handle.submission_id
    }

    /// Returns the handle with which another process can [attach](Cluster::attach) to the job.
    pub fn handle(&self) -> &JobHandle {
        &self.handle
    }

    pub(crate) fn dir(&self) -> JobDir {
        JobDir::at(&self.handle.dir)
    }

    /// Returns the directory of the job, on the machine that has its files.
    pub fn job_dir(&self) -> &std::path::Path {
        &self.handle.dir
    }

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

    /// Cancels the job, but no job that it has submitted.
    ///
    /// # Errors
    /// If the backend cannot be asked. The inner result is an error if the backend does not know the job and no
    /// end of it was seen.
    pub(crate) fn cancel_alone(&self) -> Result<Result<()>> {
        self.check_is_real()?;
        self.answer.expire();
        Ok(match self.cluster.backend().cancel(self.id(), None, Some(&self.dir()))? {
            Cancelled::Done => {
                self.watch.cancelled();
                Ok(())
            }
            Cancelled::Unknown => self.check_is_over(),
        })
    }

    /// Returns an error for a cancellation that failed, unless the job is known to have ended.
    fn check_is_over(&self) -> Result<()> {
        if self.watch.verdict().is_some() {
            return Ok(());
        }
        let Status { state, .. } = self.refresh()?;
        if state.is_terminal() {
            return Ok(());
        }
        let said = format!("scancel does not know it, although it is {state}");
        Err(Error::Unclear { id: self.id(), said })
    }

    /// Returns the description of the submission: the options with the source of each, and the script.
    ///
    /// # Errors
    /// If another process submitted the job and its description cannot be read.
    pub fn explain(&self) -> Result<&Explanation> {
        self.explanation.get_or_try_init(|| {
            let path = self.dir().job_json();
            let text = self.read_text(&path)?;
            serde_json::from_str(&text).map_err(|error| Error::Config {
                message: format!("{} is damaged: {error}", path.display()),
                hint: "the result of the job does not depend on it and can still be fetched"
                    .to_owned(),
            })
        })
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns the last time at which the queue certainly knew the job, unless it has been seen to end since.
    pub(crate) fn known_at(&self) -> Option<Instant> {
        self.submitted_at.filter(|_| self.watch.verdict().is_none())
    }

    /// Returns how the job ended, if this process has seen that.
    pub(crate) fn ended_as(&self) -> Option<JobState> {
        match self.watch.verdict()?.ok()? {
            Verdict::Ended(End::Lost(_)) | Verdict::Unreadable(_) => None,
            verdict => Some(verdict.state()),
        }
    }

    pub(crate) fn subject(&self) -> Arc<dyn Subject> {
        self.watch.clone()
    }

    /// Refuses a question that only a real job can answer, if this one is only planned.
    pub(crate) fn check_is_real(&self) -> Result<()> {
        self.cluster.check_is_real(&self.handle.task)
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

impl<T> Case for Job<T> {
    fn id(&self) -> JobId {
        self.handle.job_id
    }

    fn submission_id(&self) -> &SubmissionId {
        &self.handle.submission_id
    }

    fn task(&self) -> &str {
        &self.handle.task
    }

    fn dir(&self) -> &std::path::Path {
        &self.handle.dir
    }

    fn entered(&self) -> Option<Entered> {
        let result = self
            .cluster
            .backend()
            .host()
            .read(&JobDir::at(&self.handle.dir).result(), 0)
            .ok()
            .flatten();
        let outcome = result.and_then(|bytes| Some(Outcome::from_bytes(&bytes).ok()?.0));
        let exited = outcome.filter(|outcome| {
            matches!(&outcome.ending, Ending::Failure(failure) if failure.kind == FailureKind::Exited)
        });
        let exited = exited.map(|outcome| outcome.run.restart_count);
        let diaries = self.diaries().unwrap_or_default();
        // On a full disk a diary exists and is empty.
        let exists = !diaries.is_empty();
        let runs = diaries.iter().flatten().filter_map(|event| match event.event {
            EventKind::Started { restart_count, .. } => Some(restart_count),
            _ => None,
        });
        let noted = exists.then(|| runs.max().unwrap_or(0));
        let run = noted.max(exited)?;
        Some(Entered { run, has_exited: exited == Some(run) })
    }

    fn panic(&self) -> Option<Failure> {
        let (message, location) = Event::last_panic(self.events())?;
        let location = location.map(String::into_boxed_str);
        Some(Failure { location, ..Failure::new(FailureKind::Panic, message) })
    }

    fn stderr_end(&self) -> (Option<std::path::PathBuf>, String) {
        self.end_of_stderr()
    }

    fn upstream(&self) -> Vec<UpstreamFailure> {
        let edges = self.explain().map_or(&[][..], |explanation| &explanation.after);
        conclude::upstream(self.cluster.backend(), edges)
    }

    fn backend(&self) -> &dyn Backend {
        self.cluster.backend()
    }
}
