//! Two threads that wait for all jobs of a cluster.
//!
//! One looks for result files, an `open` per job; the other asks the backend about all jobs at once, at
//! most two commands whatever their number. Each starts fast when something happens and grows slower
//! while nothing does, and takes no more than a tenth of the time. A queue that hangs does not keep
//! results from being found.
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

use crate::backend::{Backend, Cadence, Sighting, Survey};
use crate::error::{Error, HostError};
use crate::host::{Found, Look};

/// How a job ended, before anybody has looked into it.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    /// The content of its result file.
    Outcome(Arc<Vec<u8>>),
    /// It ended, or can never start, and there is no result file.
    Ended(Sighting),
    /// There is a result file that cannot be read, and why.
    Unreadable(String),
    /// Nobody knows it any more.
    Lost,
}

/// The backend's commands are not installed, so no wait can end.
#[derive(Clone, Debug)]
pub(crate) struct MissingCommand {
    program: String,
    command: String,
}

impl From<MissingCommand> for Error {
    fn from(MissingCommand { program, command }: MissingCommand) -> Self {
        HostError::CommandMissing { program, command }.into()
    }
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
    /// Which of the two threads run.
    running: [bool; 2],
    /// Counts what happens: new entries, results, changes of state. Whoever waits then looks sooner.
    stirs: u64,
}

#[derive(Debug)]
struct Watched {
    job: JobId,
    result: PathBuf,
    waiters: usize,
    verdict: Option<Result<Verdict, MissingCommand>>,
    unreadable: Option<String>,
    ended: Option<(Sighting, Instant)>,
    absent_since: Option<Instant>,
    last: Option<Sighting>,
}

/// The threads stay this long when there is nothing to wait for.
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
    ) -> Result<Option<Verdict>, Error> {
        let mut board = self.shared.lock();
        let entry = board.watched.entry(pre_id.clone()).or_insert_with(|| Watched {
            job,
            result,
            waiters: 0,
            verdict: None,
            unreadable: None,
            ended: None,
            absent_since: None,
            last: None,
        });
        entry.waiters += 1;
        board.stirs += 1;
        for work in [Work::Files, Work::Survey] {
            if let Err(source) = self.shared.start(&mut board, work) {
                board.forget_waiter(pre_id);
                let command = "a thread that waits for jobs".to_owned();
                return Err(HostError::Start { command, source }.into());
            }
        }
        self.shared.changed.notify_all();
        let verdict = loop {
            if let Some(verdict) = board.watched.get(pre_id).and_then(|entry| entry.verdict.clone())
            {
                break verdict.map(Some).map_err(Error::from);
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

/// What one of the two threads does.
#[derive(Clone, Copy, Debug)]
enum Work {
    Files,
    Survey,
}

/// Says that a thread runs, and that it does not when it ends, however it ends.
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
        self.due = now + self.interval.max(((now - began) * 9).min(self.range.1));
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
        if board.open().next().is_some() {
            idle_since = now;
        } else if now.duration_since(idle_since) >= IDLE {
            // While the board is held, so that nobody relies on a thread that is about to end.
            board.running[*work as usize] = false;
            return;
        } else {
            // Until there is something to do; the answer does not matter, the loop looks for itself.
            let _ = shared.changed.wait_timeout(board, IDLE);
            continue;
        }
        if pace.due > now {
            let _ = shared.changed.wait_timeout(board, pace.due - now);
            continue;
        }
        match work {
            Work::Files => {
                drop(board);
                look_for_results(&shared);
            }
            Work::Survey => {
                let jobs: Vec<JobId> = board.open().map(|(_, entry)| entry.job).collect();
                drop(board);
                let answer = shared.backend.survey(&jobs);
                if shared.lock().take_in(answer) {
                    // The result of a job that has ended was there before its end could be seen.
                    look_for_results(&shared);
                    shared.lock().settle(&cadence);
                }
            }
        }
        pace.slow_down(now);
        shared.changed.notify_all();
    }
}

/// Looks whether any open job has a result now.
fn look_for_results(shared: &Shared) {
    let (open, looks): (Vec<PreId>, Vec<Look>) = {
        let look = |path: &PathBuf| Look::File { path: path.clone(), offset: 0 };
        shared.lock().open().map(|(id, entry)| (id.clone(), look(&entry.result))).unzip()
    };
    let found = match shared.backend.host().look(&looks) {
        Ok(found) => found,
        Err(error) => return log::warn!("will look again: {error}"),
    };
    let mut board = shared.lock();
    for (pre_id, found) in open.iter().zip(found) {
        let Some(entry) = board.watched.get_mut(pre_id) else { continue };
        match found {
            Ok(Found::Bytes(bytes)) => {
                entry.verdict = Some(Ok(Verdict::Outcome(Arc::new(bytes))));
                board.stirs += 1;
                shared.changed.notify_all();
            }
            Ok(_) => {}
            Err(error) => {
                let message = error.to_string();
                if entry.unreadable.as_ref() != Some(&message) {
                    log::warn!("will look again: {message}");
                    entry.unreadable = Some(message);
                }
            }
        }
    }
}

impl Board {
    /// Takes in what the backend said, and returns whether it said anything.
    fn take_in(&mut self, answer: Result<Survey, Error>) -> bool {
        let open = self.watched.values_mut().filter(|entry| entry.verdict.is_none());
        match answer {
            Ok(Survey { seen, doubt, .. }) => {
                if let Some(doubt) = &doubt {
                    log::warn!("will ask again: {doubt}");
                }
                let news = open.fold(false, |news, entry| {
                    entry.take_in(seen.get(&entry.job), doubt.is_some()) | news
                });
                self.stirs += u64::from(news);
                true
            }
            Err(Error::Host(HostError::CommandMissing { program, command })) => {
                let missing = MissingCommand { program, command };
                open.for_each(|entry| entry.verdict = Some(Err(missing.clone())));
                false
            }
            Err(error) => {
                log::warn!("will ask again: {error}");
                // Time in which nobody answered is no time of absence.
                open.for_each(|entry| entry.absent_since = None);
                false
            }
        }
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
    /// Takes in what was seen of the job, if it was; `doubtful` if not every source has answered.
    fn take_in(&mut self, sighting: Option<&Sighting>, doubtful: bool) -> bool {
        let now = Instant::now();
        let Some(sighting) = sighting else {
            self.absent_since = (!doubtful).then(|| self.absent_since.unwrap_or(now));
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
                self.verdict = Some(Ok(match self.unreadable.take() {
                    Some(reason) => Verdict::Unreadable(reason),
                    None => Verdict::Ended(sighting.clone()),
                }));
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

#[cfg(test)]
mod tests {
    use super::*;

    const CADENCE: Cadence = Cadence {
        files: (Duration::ZERO, Duration::ZERO),
        survey: (Duration::ZERO, Duration::ZERO),
        file_grace: Duration::ZERO,
        return_grace: Duration::ZERO,
        // Any absence that lasts is long enough.
        lost_after: Duration::from_nanos(1),
    };

    fn board() -> Board {
        let watched = Watched {
            job: "7".parse().unwrap(),
            result: PathBuf::from("/nowhere/result"),
            waiters: 1,
            verdict: None,
            unreadable: None,
            ended: None,
            absent_since: None,
            last: None,
        };
        let mut board = Board::default();
        board.watched.insert(PreId::new(0, 0), watched);
        board
    }

    fn is_lost(board: &Board) -> bool {
        board.watched.values().all(|entry| matches!(entry.verdict, Some(Ok(Verdict::Lost))))
    }

    fn outage() -> Error {
        Error::Command { command: "squeue".to_owned(), message: "no answer".to_owned() }
    }

    /// Absent once, then whatever `next` is, then time for the absence to have lasted.
    fn absent_then(next: Result<Survey, Error>) -> Board {
        let mut board = board();
        assert!(board.take_in(Ok(Survey::default())));
        board.take_in(next);
        board.settle(&CADENCE);
        board
    }

    #[test]
    fn absence_in_every_answer_is_a_loss() {
        assert!(is_lost(&absent_then(Ok(Survey::default()))));
    }

    #[test]
    fn an_outage_after_an_absence_is_no_loss() {
        assert!(!is_lost(&absent_then(Err(outage()))));
    }

    #[test]
    fn a_source_that_is_silent_leaves_an_absence_open() {
        let doubtful = Survey { doubt: Some(outage()), ..Survey::default() };
        assert!(!is_lost(&absent_then(Ok(doubtful))));
    }
}
