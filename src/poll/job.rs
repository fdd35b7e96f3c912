//! Watching one job.
//!
//! The result file has precedence over the answers of the backend.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use once_cell::sync::OnceCell;
use slurm_core::events::{Event, EventKind};
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, FailureKind, Outcome};
use slurm_core::state::JobState;
use slurm_host::{Found, Look};

use super::{End, Fate, Obstacle, Subject};
use crate::backend::{Asked, Cadence, Sighting, Source, Survey, Testimony, traces};
use crate::error::{Error, HostError, LastKnown};
use crate::model::{Progress, Status};

/// How a job ended, without a search for the reasons.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The content of its result file.
    Outcome(Arc<Vec<u8>>),
    /// It left no result file.
    Ended(End),
    /// Its result file cannot be read, for this reason.
    Unreadable(String),
}

impl Verdict {
    /// Returns the state that follows from the verdict.
    pub(crate) fn state(&self) -> JobState {
        match self {
            Self::Outcome(bytes) => match Outcome::from_bytes(bytes) {
                Ok((Outcome { ending: Ending::Value(_), .. }, _)) => JobState::Completed,
                _ => JobState::Failed,
            },
            Self::Ended(End::Seen(sighting)) => sighting.state.clone(),
            Self::Unreadable(_) => JobState::Failed,
            Self::Ended(End::Lost(_)) => JobState::Unknown("LOST".to_owned()),
        }
    }
}

/// A job for which a thread waits.
#[derive(Debug)]
pub(crate) struct JobWatch {
    job: JobId,
    result: PathBuf,
    verdict: OnceCell<Result<Verdict, Obstacle>>,
    /// Whether it has a value; set on the first request.
    succeeded: OnceCell<bool>,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    fate: Fate,
    unreadable: Option<String>,
    /// The number of jobs that start before it.
    ahead: Option<u64>,
    /// The outcome of a process that ended before the task had returned.
    exited: Option<Arc<Vec<u8>>>,
    /// The `exited` outcome of an earlier run, which a file server may show for a while longer.
    superseded: Option<Arc<Vec<u8>>>,
    /// Whether it is pending after a run.
    was_put_back: bool,
    /// Whether it was cancelled by this process, or by another one that has left a note.
    cancelled: bool,
}

impl Notes {
    /// Records the answers of the sources, and returns whether they change the state.
    fn take_in(&mut self, job: JobId, survey: &Survey) -> bool {
        let seen = survey.seen.get(&job);
        // If the job was cancelled with this library, that explains why a source has forgotten it or has no
        // end.
        let noted = (self.cancelled && is_open(seen))
            .then(|| Sighting { source: Source::Note, ..Sighting::of(JobState::Cancelled) });
        let is_pending = seen.is_some_and(|seen| seen.state.is_pending());
        self.was_put_back = is_pending && (self.was_put_back || self.fate.has_begun());
        if self.was_put_back
            && let Some(exited) = self.exited.take()
        {
            self.fate.is_complete(false);
            self.superseded = Some(exited);
        }
        self.fate.take_in(noted.as_ref().or(seen), &survey.testimony)
    }
}

/// Returns whether the queue does not list a job, and no other source has its end.
fn is_open(seen: Option<&Sighting>) -> bool {
    seen.is_none_or(|seen| seen.source == Source::Accounting && !seen.is_end())
}

impl JobWatch {
    /// Returns the watch of the job `job`, whose outcome will be at `result`.
    pub(crate) fn new(job: JobId, result: PathBuf) -> Self {
        let (verdict, succeeded) = (OnceCell::new(), OnceCell::new());
        Self { job, result, verdict, succeeded, notes: Mutex::default() }
    }

    /// Returns how the job ended, if that is known.
    ///
    /// # Errors
    /// If it can never be known because of an [`Obstacle`].
    pub(crate) fn verdict(&self) -> Option<Result<&Verdict, Error>> {
        let known = self.verdict.get()?;
        Some(known.as_ref().map_err(|obstacle| obstacle.clone().into()))
    }

    /// Returns the last known status while the job has not ended.
    pub(crate) fn last_known(&self) -> LastKnown {
        LastKnown { status: self.status(), ..self.notes().fate.last_known() }
    }

    /// Returns the last sighting, if there is one.
    pub(crate) fn status(&self) -> Option<Status> {
        let notes = self.notes();
        let status = notes.fate.last()?.status();
        let jobs_ahead = notes.ahead.filter(|_| status.state.is_pending());
        Some(Status { jobs_ahead, ..status })
    }

    /// Records a survey from outside of the poller. If the job is lost according to it, returns the answers of
    /// the sources.
    pub(crate) fn is_lost_by(&self, survey: &Survey, cadence: &Cadence) -> Option<Testimony> {
        self.seen(survey);
        let notes = self.notes();
        // An end needs another look for the result, which a wait makes.
        match notes.fate.settle(cadence)? {
            End::Lost(testimony) => Some(testimony),
            End::Seen(_) => None,
        }
    }

    /// Returns whether the job is not in the queue according to a survey and no source has its end.
    pub(crate) fn is_open_in(&self, survey: &Survey) -> bool {
        !self.notes().cancelled && is_open(survey.seen.get(&self.job))
    }

    /// Records that the job was cancelled: Slurm forgets it, and not every cluster keeps an accounting.
    pub(crate) fn cancelled(&self) {
        self.notes().cancelled = true;
    }

    /// Returns whether the job was cancelled.
    pub(crate) fn was_cancelled(&self) -> bool {
        self.notes().cancelled
    }

    fn diary(&self) -> PathBuf {
        JobDir::at(self.result.parent().unwrap_or(Path::new(""))).events()
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conclude(&self, verdict: Result<Verdict, Obstacle>) -> bool {
        // The first verdict holds.
        self.verdict.set(verdict).is_ok()
    }
}

impl Subject for JobWatch {
    fn is_settled(&self) -> bool {
        self.verdict.get().is_some()
    }

    fn progress(&self) -> Progress {
        let mut progress = Progress { items: 1, ..Progress::default() };
        let Some(known) = self.verdict.get() else {
            let notes = self.notes();
            let runs = notes.fate.last().is_some_and(|seen| seen.state == JobState::Running);
            progress.running = usize::from(runs);
            return progress;
        };
        let has_value = || {
            let state = known.as_ref().map(Verdict::state);
            state.is_ok_and(|state| state == JobState::Completed)
        };
        match self.succeeded.get_or_init(has_value) {
            true => progress.succeeded = 1,
            false => progress.failed = 1,
        }
        progress
    }

    fn statuses(&self) -> Vec<(Status, usize)> {
        let open = self.status().filter(|_| !self.is_settled());
        open.map(|status| (status, 1)).into_iter().collect()
    }

    fn jobs(&self, asked: &mut Vec<Asked>) {
        asked.push(Asked::job(self.job));
    }

    fn looks(&self, looks: &mut Vec<Look>) {
        // Listing the directory makes NFS check whether the file exists, and shows a note of a cancellation.
        let listed = {
            let notes = self.notes();
            notes.fate.has_ended() || notes.fate.is_absent() && !notes.cancelled
        };
        if listed && let Some(dir) = self.result.parent() {
            looks.push(Look::Dir { path: dir.to_owned() });
        }
        looks.push(Look::File { path: self.result.clone(), offset: 0 });
        if self.notes().fate.awaits_result() {
            looks.push(Look::File { path: self.diary(), offset: 0 });
        }
    }

    fn found(&self, look: &Look, found: Result<Found, HostError>) -> bool {
        if matches!(look, Look::File { path, .. } if *path == self.diary()) {
            if let Ok(Found::Bytes(bytes)) = found
                && has_left_nothing(&String::from_utf8_lossy(&bytes))
            {
                self.notes().fate.is_complete(true);
            }
            return false;
        }
        match found {
            // The backend reports how the process ended.
            Ok(Found::Bytes(bytes)) if has_exited(&bytes) => {
                let mut notes = self.notes();
                if notes.superseded.as_deref() != Some(&bytes) {
                    notes.fate.is_complete(true);
                    notes.exited = Some(Arc::new(bytes));
                }
                false
            }
            Ok(Found::Bytes(bytes)) => self.conclude(Ok(Verdict::Outcome(Arc::new(bytes)))),
            Ok(Found::Names(names)) => {
                let mut notes = self.notes();
                let is_news = !notes.cancelled && traces::tell_of_cancellation(&names);
                notes.cancelled |= is_news;
                is_news
            }
            Ok(_) => false,
            Err(error) => {
                let message = error.to_string();
                let mut notes = self.notes();
                if notes.unreadable.as_ref() != Some(&message) {
                    log::warn!("cannot read the result, trying again: {message}");
                    notes.unreadable = Some(message);
                }
                false
            }
        }
    }

    fn seen(&self, survey: &Survey) -> bool {
        let mut notes = self.notes();
        notes.ahead = survey.ahead.get(&self.job).map(|ahead| ahead.waiting);
        notes.take_in(self.job, survey)
    }

    fn unanswered(&self, why: &str) {
        self.notes().fate.unanswered(why);
    }

    fn unanswerable(&self, obstacle: &Obstacle) {
        self.conclude(Err(obstacle.clone()));
    }

    fn settle(&self, cadence: &Cadence) {
        let mut notes = self.notes();
        if notes.fate.is_absent()
            && let Some(bytes) = notes.exited.take()
        {
            // No source can report the exit code any more.
            self.conclude(Ok(Verdict::Outcome(bytes)));
            return;
        }
        if let Some(end) = notes.fate.settle(cadence) {
            let verdict = match (end, notes.unreadable.take()) {
                (End::Seen(_), Some(reason)) => Verdict::Unreadable(reason),
                (end, _) => Verdict::Ended(end),
            };
            self.conclude(Ok(verdict));
        }
    }
}

/// Returns whether a result only says that the process ended before the task had returned. The backend then
/// reports how the job ended: Slurm may run it again, for example after a preemption.
pub(crate) fn has_exited(result: &[u8]) -> bool {
    let Ok((outcome, _)) = Outcome::from_bytes(result) else { return false };
    matches!(outcome.ending, Ending::Failure(failure) if failure.kind == FailureKind::Exited)
}

/// Returns whether the diary of an ended job shows that the last run has not written a result, because its
/// process ended in a way that no handler sees (`_exit`, `exec`). The diary existed before the run, so a file
/// server shows the added lines.
fn has_left_nothing(diary: &str) -> bool {
    let last = Event::read_all(diary).into_iter().rev().find_map(|event| match event.event {
        EventKind::Finished { .. } => Some(false),
        // Lines of several processes on several nodes may be lost.
        EventKind::Started { is_one_of_several, .. } => Some(!is_one_of_several),
        _ => None,
    });
    last.unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use slurm_core::outcome::{Failure, RunReport};

    use super::*;
    use crate::backend::{Exit, Said};

    const CADENCE: Cadence = Cadence {
        files: (Duration::ZERO, Duration::ZERO),
        survey: (Duration::ZERO, Duration::ZERO),
        file_grace: Duration::ZERO,
        written_grace: Duration::ZERO,
        return_grace: Duration::ZERO,
        // Any absence is long enough.
        lost_after: Duration::from_nanos(1),
        unconfirmed_after: Duration::from_secs(3600),
        on_the_way: Duration::ZERO,
    };

    fn is_lost(watch: &JobWatch) -> bool {
        watch.settle(&CADENCE);
        matches!(watch.verdict(), Some(Ok(Verdict::Ended(End::Lost(_)))))
    }

    fn absent_once() -> JobWatch {
        let watch = JobWatch::new("7".parse().unwrap(), PathBuf::from("/nowhere/result"));
        watch.seen(&Survey::default());
        watch
    }

    #[test]
    fn absence_in_every_answer_is_a_loss() {
        let watch = absent_once();
        watch.seen(&Survey::default());
        assert!(is_lost(&watch));
    }

    #[test]
    fn a_repeated_question_for_the_state_finds_a_loss() {
        let watch = absent_once();
        let said = watch.is_lost_by(&Survey::default(), &CADENCE);
        assert!(
            said.is_some() && watch.verdict().is_none(),
            "only a wait ends with the loss, after a look for the result"
        );
    }

    #[test]
    fn the_outcome_of_an_earlier_run_does_not_end_the_wait_for_the_result() {
        let watch = JobWatch::new("7".parse().unwrap(), PathBuf::from("/nowhere/result"));
        let failure = Failure::new(FailureKind::Exited, "it ended");
        let ending = Ending::Failure(Box::new(failure));
        let left = Outcome { ending, run: RunReport::default() }.to_bytes("task", 0).unwrap();
        let look = Look::File { path: PathBuf::from("/nowhere/result"), offset: 0 };
        let seen = |sighting| Survey {
            seen: [("7".parse().unwrap(), sighting)].into(),
            ..Survey::default()
        };
        let exit = Some(Exit::default());
        let completed = || seen(Sighting { exit, ..Sighting::of(JobState::Completed) });
        let cadence = Cadence { written_grace: Duration::from_secs(3600), ..CADENCE };
        let has_ended = |watch: &JobWatch| {
            watch.found(&look, Ok(Found::Bytes(left.clone())));
            watch.seen(&completed());
            watch.settle(&cadence);
            watch.verdict().is_some()
        };
        watch.seen(&seen(Sighting::of(JobState::Running)));
        watch.found(&look, Ok(Found::Bytes(left.clone())));
        watch.seen(&seen(Sighting::of(JobState::Pending)));
        assert!(!has_ended(&watch), "the file of the second run may still come");
        let watch = JobWatch::new("7".parse().unwrap(), PathBuf::from("/nowhere/result"));
        watch.found(&look, Ok(Found::Bytes(left.clone())));
        // This answer is older than the start of the job.
        watch.seen(&seen(Sighting::of(JobState::Pending)));
        assert!(has_ended(&watch), "no other file will come");
    }

    #[test]
    fn a_job_that_was_cancelled_and_forgotten_is_cancelled() {
        let watch = absent_once();
        watch.cancelled();
        watch.seen(&Survey::default());
        watch.settle(&CADENCE);
        let verdict = watch.verdict().unwrap().unwrap();
        assert_eq!(verdict.state(), JobState::Cancelled);
    }

    #[test]
    fn a_job_is_not_lost_while_the_queue_does_not_answer() {
        let watch = absent_once();
        watch.unanswered("no answer");
        assert!(!is_lost(&watch));
    }

    #[test]
    fn a_job_is_not_lost_while_the_accounting_does_not_answer() {
        let watch = absent_once();
        let queue = Testimony::default().with("squeue", Said::NotListed);
        let testimony = queue.with("sacct", Said::Failed("no answer".to_owned()));
        watch.seen(&Survey { testimony, ..Survey::default() });
        assert!(!is_lost(&watch));
    }
}
