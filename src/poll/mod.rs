//! Two threads that watch all submissions for which other threads wait.
//!
//! One thread looks for result files, all of them in one request. The other asks the backend about all jobs at
//! once, with at most two commands whatever their number. Both poll faster after a change and slower without
//! one, and spend at most a tenth of the time. A queue that does not answer does not delay results.
//!
//! Inside a workflow, jobs that have no [room](room) beside it are given up.
//!
//! The threads watch [`Subject`]s: [jobs](job) and [arrays](crate::array).

mod fate;
mod fresh;
mod job;
mod look;
mod obstacle;
mod pace;
mod room;
mod silence;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use slurm_core::ids::JobId;
use slurm_host::{Found, Look};

use crate::backend::{Asked, Backend, Cadence, Survey};
use crate::error::{Error, HostError};
use crate::model::{Progress, Status};

pub(crate) use fate::{End, Fate};
pub(crate) use fresh::Freshness;
pub(crate) use job::{JobWatch, Verdict, has_exited};
pub(crate) use obstacle::Obstacle;
use pace::Pace;
use room::Room;
pub(crate) use silence::Silence;
use silence::{Silences, Source};

/// A job or an array for which a thread waits.
pub(crate) trait Subject: fmt::Debug + Send + Sync {
    /// Returns whether everything about it is known.
    fn is_settled(&self) -> bool;

    /// Returns the known progress.
    fn progress(&self) -> Progress;

    /// Returns the statuses of the jobs or elements that have not ended, with the number of each.
    fn statuses(&self) -> Vec<(Status, usize)>;

    /// Adds the jobs and elements about which to ask the backend.
    fn jobs(&self, asked: &mut Vec<Asked>);

    /// Adds the files to look at.
    fn looks(&self, looks: &mut Vec<Look>);

    /// Records the finding for a look from [`Subject::looks`], and returns whether it is a change.
    fn found(&self, look: &Look, found: Result<Found, HostError>) -> bool;

    /// Records the answer of the backend, and returns whether it is a change.
    fn seen(&self, survey: &Survey) -> bool;

    /// Called when the backend did not answer, with the reason. Time without an answer does not count towards
    /// `lost_after`.
    fn unanswered(&self, why: &str);

    /// Records that the backend can never be asked.
    fn unanswerable(&self, obstacle: &Obstacle);

    /// Ends the wait for jobs and elements that have ended, if their grace period is over.
    fn settle(&self, cadence: &Cadence);
}

/// Watches the jobs of a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Poller {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    backend: Arc<dyn Backend>,
    room: Room,
    silences: Silences,
    board: Mutex<Board>,
    changed: Condvar,
    /// The large files that one of the threads reads.
    reading: Mutex<HashSet<PathBuf>>,
}

#[derive(Debug, Default)]
struct Board {
    /// By the address of the subject.
    watched: HashMap<usize, Entry>,
    /// Which of the two threads run.
    running: [bool; 2],
    /// Counts events: new entries, results, changes of state. After an event the threads look sooner.
    stirs: u64,
}

#[derive(Debug)]
struct Entry {
    subject: Arc<dyn Subject>,
    watches: usize,
}

/// How long a thread without work stays.
const IDLE: Duration = Duration::from_secs(2);

/// While one of these exists, its subject is polled.
#[derive(Debug)]
pub(crate) struct Watch {
    poller: Poller,
    key: usize,
}

impl Poller {
    /// Returns the poller for jobs of `backend`. `workflows` are the jobs of the workflows around this process.
    pub(crate) fn new(backend: Arc<dyn Backend>, workflows: Vec<JobId>) -> Self {
        let room = Room::beside(workflows);
        let (board, changed, reading) = (Mutex::default(), Condvar::new(), Mutex::default());
        let silences = Silences::default();
        let shared = Shared { backend, room, silences, board, changed, reading };
        Self { shared: Arc::new(shared) }
    }

    /// Returns whether both are the poller of one cluster.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Returns the sources that do not answer.
    pub(crate) fn silences(&self) -> Vec<Silence> {
        self.shared.silences.get()
    }

    /// Begins to poll `subject`.
    ///
    /// # Errors
    /// If a thread cannot be started.
    pub(crate) fn watch(&self, subject: Arc<dyn Subject>) -> Result<Watch, Error> {
        let key = Arc::as_ptr(&subject).cast::<()>() as usize;
        let mut board = self.shared.lock();
        board.watched.entry(key).or_insert(Entry { subject, watches: 0 }).watches += 1;
        board.stirs += 1;
        let watch = Watch { poller: self.clone(), key };
        for work in [Work::Files, Work::Survey] {
            if let Err(source) = self.shared.start(&mut board, work) {
                // The watch locks the board when it is dropped.
                drop(board);
                let command = "a thread that waits for jobs".to_owned();
                return Err(HostError::Start { command, source }.into());
            }
        }
        self.shared.changed.notify_all();
        Ok(watch)
    }

    /// Looks once at the files of `subject`, and asks the backend about it.
    ///
    /// # Errors
    /// If the backend cannot be asked.
    pub(crate) fn refresh(&self, subject: &Arc<dyn Subject>) -> Result<(), Error> {
        let subjects = std::slice::from_ref(subject);
        // The second look reads the files that the first one has listed.
        let mut missed = self.shared.look(subjects)?;
        let mut asked = Vec::new();
        subject.jobs(&mut asked);
        if !asked.is_empty() {
            subject.seen(&self.shared.ask(&asked)?);
        }
        missed.extend(self.shared.look(subjects)?);
        missed.extend(self.shared.look(subjects)?);
        if missed.is_empty() {
            subject.settle(&self.shared.backend.cadence());
        }
        Ok(())
    }

    /// Waits until `check` returns an answer, or until `deadline`. `check` is called after every change of a
    /// watched subject.
    pub(crate) fn wait<R>(
        &self,
        deadline: Option<Instant>,
        mut check: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        let mut board = self.shared.lock();
        loop {
            if let Some(answer) = check() {
                return Some(answer);
            }
            board = match deadline {
                None => self.shared.changed.wait(board).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return None;
                    }
                    let waited = self.shared.changed.wait_timeout(board, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut board = self.poller.shared.lock();
        if let Some(entry) = board.watched.get_mut(&self.key) {
            entry.watches -= 1;
            if entry.watches == 0 {
                board.watched.remove(&self.key);
            }
        }
    }
}

/// The work of one of the two threads.
#[derive(Clone, Copy, Debug)]
enum Work {
    Files,
    Survey,
}

/// Marks a thread as ended when it is dropped, even after a panic.
struct Running(Weak<Shared>, Work);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().running[self.1 as usize] = false;
        }
    }
}

impl Shared {
    fn start(self: &Arc<Self>, board: &mut Board, work: Work) -> std::io::Result<()> {
        if !board.running[work as usize] {
            let shared = Arc::downgrade(self);
            let thread = thread::Builder::new().name("slurm-poller".to_owned());
            thread.spawn(move || run(&Running(shared, work)))?;
            board.running[work as usize] = true;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the waiting threads and the poller's threads. `news` says whether something has changed.
    fn tell(&self, news: bool) {
        self.lock().stirs += u64::from(news);
        self.changed.notify_all();
    }

    fn ask(&self, asked: &[Asked]) -> Result<Survey, Error> {
        let mut survey = self.backend.survey(asked)?;
        self.room.explain(asked, &mut survey);
        Ok(survey)
    }

    /// Asks the backend about all jobs for which threads wait.
    fn survey(&self, open: &[Arc<dyn Subject>], cadence: &Cadence) -> Result<(), Obstacle> {
        let mut asked = Vec::new();
        open.iter().for_each(|subject| subject.jobs(&mut asked));
        let survey = match self.ask(&asked) {
            Ok(survey) => survey,
            Err(error) => {
                if let Some(obstacle) = Obstacle::of_error(&error) {
                    return Err(obstacle);
                }
                log::warn!("the backend did not answer, asking again: {error}");
                self.silences.note(Source::Queue, Some(silence::words(&error)));
                let why = error.to_string();
                open.iter().for_each(|subject| subject.unanswered(&why));
                return Ok(());
            }
        };
        self.silences.note(Source::Queue, None);
        if let Some(words) = survey.testimony.failure() {
            log::warn!("the accounting did not answer, asking again: {words}");
        }
        self.silences.note(Source::Accounting, survey.testimony.failure().map(str::to_owned));
        let news = open.iter().fold(false, |news, subject| subject.seen(&survey) | news);
        // The result of a job exists before a source reports its end. The result of an element is found by the
        // first look and read by the second.
        let missed: HashSet<usize> = self.look(open)?.into_iter().chain(self.look(open)?).collect();
        // Files that could not be looked at may exist.
        let seen = open.iter().enumerate().filter(|(position, _)| !missed.contains(position));
        seen.for_each(|(_, subject)| subject.settle(cadence));
        self.tell(news);
        self.room.look(self.backend.as_ref(), &asked, &survey);
        Ok(())
    }
}

impl Board {
    fn open(&self) -> Vec<Arc<dyn Subject>> {
        let subjects = self.watched.values().map(|entry| &entry.subject);
        subjects.filter(|subject| !subject.is_settled()).cloned().collect()
    }
}

fn run(running: &Running) {
    let Running(shared, work) = running;
    let Some(cadence) = shared.upgrade().map(|shared| shared.backend.cadence()) else { return };
    let mut pace = Pace::new(match work {
        Work::Files => cadence.files,
        Work::Survey => cadence.survey,
    });
    let mut stirs = 0;
    let mut idle_since = Instant::now();
    while let Some(shared) = shared.upgrade() {
        let mut board = shared.lock();
        if board.stirs != stirs {
            stirs = board.stirs;
            pace.reset();
        }
        let now = Instant::now();
        let open = board.open();
        if !open.is_empty() {
            idle_since = now;
        } else if now.duration_since(idle_since) >= IDLE {
            // The board is still locked, so that no wait relies on a thread that is about to end.
            board.running[*work as usize] = false;
            return;
        } else {
            // The result does not matter, because the loop looks at the board again.
            let _ = shared.changed.wait_timeout(board, IDLE);
            continue;
        }
        if pace.due > now {
            let _ = shared.changed.wait_timeout(board, pace.due - now);
            continue;
        }
        drop(board);
        let done = match work {
            Work::Files => shared.look(&open).map(drop),
            Work::Survey => shared.survey(&open, &cadence),
        };
        if let Err(obstacle) = done {
            open.iter().for_each(|subject| subject.unanswerable(&obstacle));
        }
        pace.slow_down(now);
        shared.tell(false);
    }
}
