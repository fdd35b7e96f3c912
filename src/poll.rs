//! One thread that waits for all jobs of a cluster.
//!
//! A look for result files costs an `open` per job; a survey of the queue costs at most two commands
//! whatever the number of jobs. Both start fast when something happens and grow slower while nothing
//! does. Neither takes more than a tenth of the time, however long a look takes.
//!
//! What ends a wait, in this order: the result file; a terminal state in the queue or the accounting,
//! confirmed for a grace period in which the file may still become visible or the job return to the queue;
//! absence everywhere for a longer one. A source that does not answer decides nothing.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use slurm_core::ids::{JobId, PreId};

use crate::backend::{Backend, Cadence, Sighting};
use crate::error::{Error, HostError};

/// How a job ended, before anybody has looked into it.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The content of its result file.
    Outcome(Arc<Vec<u8>>),
    /// It ended, or can never start, and there is no result file.
    Ended(Sighting),
    /// Nobody knows it any more.
    Lost,
}

/// Waits for jobs.
#[derive(Debug)]
pub(crate) struct Poller {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    backend: Arc<dyn Backend>,
    board: Mutex<Board>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Board {
    watched: HashMap<PreId, Watched>,
    running: bool,
    /// Counts new entries, so that the thread notices one that came while it was looking.
    arrivals: u64,
}

#[derive(Debug)]
struct Watched {
    job: JobId,
    result: PathBuf,
    waiters: usize,
    verdict: Option<Result<Verdict, Arc<Error>>>,
    ended: Option<(Sighting, Instant)>,
    absent_since: Option<Instant>,
    last: Option<Sighting>,
}

/// The thread stays this long when there is nothing to wait for.
const IDLE: Duration = Duration::from_secs(2);

impl Poller {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        let shared = Shared { backend, board: Mutex::default(), changed: Condvar::new() };
        Self { shared: Arc::new(shared) }
    }

    /// Waits until the job has ended, or until `deadline`; then the answer is `None`.
    ///
    /// # Errors
    /// If the backend can never be asked, because its commands are missing.
    pub(crate) fn wait(
        &self,
        pre_id: &PreId,
        job: JobId,
        result: PathBuf,
        deadline: Option<Instant>,
    ) -> Result<Option<Verdict>, Arc<Error>> {
        let mut board = self.shared.lock();
        let entry = board.watched.entry(pre_id.clone()).or_insert_with(|| Watched {
            job,
            result,
            waiters: 0,
            verdict: None,
            ended: None,
            absent_since: None,
            last: None,
        });
        entry.waiters += 1;
        board.arrivals += 1;
        if !board.running {
            board.running = true;
            let shared = Arc::downgrade(&self.shared);
            let started =
                thread::Builder::new().name("slurm-poller".to_owned()).spawn(move || run(&shared));
            if let Err(source) = started {
                board.running = false;
                board.forget_waiter(pre_id);
                let command = "a thread that waits for jobs".to_owned();
                return Err(Arc::new(HostError::Start { command, source }.into()));
            }
        }
        self.shared.changed.notify_all();
        let verdict = loop {
            if let Some(verdict) = board.watched.get(pre_id).and_then(|entry| entry.verdict.clone())
            {
                break verdict.map(Some);
            }
            board = match deadline {
                None => self.shared.changed.wait(board).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break Ok(None);
                    }
                    let waited = self.shared.changed.wait_timeout(board, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        };
        board.forget_waiter(pre_id);
        verdict
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn forget_waiter(&mut self, pre_id: &PreId) {
        if let Some(entry) = self.watched.get_mut(pre_id) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                self.watched.remove(pre_id);
            }
        }
    }

    fn open(&self) -> impl Iterator<Item = (&PreId, &Watched)> {
        self.watched.iter().filter(|(_, entry)| entry.verdict.is_none())
    }
}

/// How long to wait until the next look: slower and slower while nothing happens.
#[derive(Debug)]
struct Pace {
    range: (Duration, Duration),
    interval: Duration,
    due: Instant,
}

impl Pace {
    fn new(range: (Duration, Duration)) -> Self {
        Self { range, interval: range.0, due: Instant::now() + range.0 }
    }

    fn reset(&mut self) {
        *self = Self::new(self.range);
    }

    /// Plans the next look after one that began at `began`.
    fn slow_down(&mut self, began: Instant) {
        let now = Instant::now();
        self.interval = (self.interval * 5 / 4).clamp(self.range.0, self.range.1);
        self.due = now + self.interval.max((now - began) * 9);
    }
}

fn run(shared: &Weak<Shared>) {
    let Some(cadence) = shared.upgrade().map(|shared| shared.backend.cadence()) else { return };
    let mut files = Pace::new(cadence.files);
    let mut survey = Pace::new(cadence.survey);
    let mut arrivals = 0;
    let mut idle_since = Instant::now();
    while let Some(shared) = shared.upgrade() {
        let mut board = shared.lock();
        if board.arrivals != arrivals {
            arrivals = board.arrivals;
            survey.reset();
            files.reset();
            files.due = Instant::now();
        }
        let now = Instant::now();
        if board.open().next().is_some() {
            idle_since = now;
        } else if now.duration_since(idle_since) >= IDLE {
            board.running = false;
            return;
        } else {
            // Until there is something to do; the answer does not matter, the loop looks for itself.
            let _ = shared.changed.wait_timeout(board, IDLE);
            continue;
        }
        let due = files.due.min(survey.due);
        if due > now {
            let _ = shared.changed.wait_timeout(board, due - now);
            continue;
        }
        if files.due <= now {
            drop(board);
            let found = look_for_results(&shared);
            files.slow_down(now);
            if found {
                survey.reset();
            }
        } else {
            let jobs: Vec<JobId> = board.open().map(|(_, entry)| entry.job).collect();
            drop(board);
            let seen = shared.backend.survey(&jobs);
            let news = shared.lock().take_in(seen);
            // The result of a job that has ended was there before its end could be seen.
            look_for_results(&shared);
            shared.lock().settle(&cadence);
            survey.slow_down(now);
            if news {
                survey.reset();
                files.reset();
            }
            shared.changed.notify_all();
        }
    }
}

/// Looks whether any open job has a result now.
fn look_for_results(shared: &Shared) -> bool {
    let open: Vec<(PreId, PathBuf)> =
        shared.lock().open().map(|(id, entry)| (id.clone(), entry.result.clone())).collect();
    let mut found = false;
    for (pre_id, result) in open {
        match shared.backend.host().read(&result, 0) {
            Ok(Some(bytes)) => {
                if let Some(entry) = shared.lock().watched.get_mut(&pre_id) {
                    entry.verdict = Some(Ok(Verdict::Outcome(Arc::new(bytes))));
                }
                shared.changed.notify_all();
                found = true;
            }
            Ok(None) => {}
            Err(error) => log::warn!("will look again: {error}"),
        }
    }
    found
}

impl Board {
    /// Takes in what the backend said, and returns whether it was news.
    fn take_in(&mut self, seen: Result<HashMap<JobId, Sighting>, Error>) -> bool {
        let open = self.watched.values_mut().filter(|entry| entry.verdict.is_none());
        let seen = match seen {
            Ok(seen) => seen,
            Err(error @ Error::Host(HostError::CommandMissing { .. })) => {
                let error = Arc::new(error);
                open.for_each(|entry| entry.verdict = Some(Err(Arc::clone(&error))));
                return true;
            }
            Err(error) => {
                log::warn!("will ask again: {error}");
                return false;
            }
        };
        open.fold(false, |news, entry| entry.take_in(seen.get(&entry.job)) | news)
    }

    /// Decides about the jobs whose time of grace is over.
    fn settle(&mut self, cadence: &Cadence) {
        self.watched
            .values_mut()
            .filter(|entry| entry.verdict.is_none())
            .for_each(|entry| entry.settle(cadence));
    }
}

impl Watched {
    fn take_in(&mut self, sighting: Option<&Sighting>) -> bool {
        let now = Instant::now();
        let Some(sighting) = sighting else {
            self.absent_since.get_or_insert(now);
            return false;
        };
        self.absent_since = None;
        let news = self.last.as_ref().map(|last| &last.state) != Some(&sighting.state);
        self.last = Some(sighting.clone());
        self.ended = sighting.is_end().then(|| {
            let since = self.ended.as_ref().map_or(now, |(_, since)| *since);
            (sighting.clone(), since)
        });
        news
    }

    fn settle(&mut self, cadence: &Cadence) {
        let over = |since: Instant, grace| since.elapsed() >= grace;
        if let Some((sighting, since)) = &self.ended {
            let returns = sighting.state.may_return();
            let grace =
                cadence.file_grace.max(if returns { cadence.return_grace } else { Duration::ZERO });
            if over(*since, grace) {
                self.verdict = Some(Ok(Verdict::Ended(sighting.clone())));
            }
        } else if self.absent_since.is_some_and(|since| over(since, cadence.lost_after)) {
            self.verdict = Some(Ok(Verdict::Lost));
        }
    }
}

impl Sighting {
    /// Returns whether the job will not run on: it has ended, or waits for what cannot happen.
    pub(crate) fn is_end(&self) -> bool {
        self.state.is_terminal() || self.waits_in_vain()
    }

    /// Returns whether the job waits for a job that did not end as it should have.
    pub(crate) fn waits_in_vain(&self) -> bool {
        self.state.is_pending() && self.reason.as_deref() == Some("DependencyNeverSatisfied")
    }
}
