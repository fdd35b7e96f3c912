//! Progress output of one wait.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::ProgressMode;
use super::bar::Bar;
use super::stage::Waiting;
use super::view::{About, View};
use crate::model::Span;
use crate::progress::interrupt;

/// A wait that ends sooner shows no bar.
const BAR_AFTER: Duration = Duration::from_millis(500);
/// A wait that ends sooner shows no text.
const WORDS_AFTER: Duration = Duration::from_secs(3);
/// How often the bar is redrawn.
const TICK: Duration = Duration::from_millis(200);
/// How often the mode with lines checks whether a line is due.
const LOOK: Duration = Duration::from_secs(1);
/// The least time between a line and the next one about a change.
const AFTER_CHANGE: Duration = Duration::from_secs(5);

/// The output of a wait so far. Repeated short waits for the same job share it, so that their times add up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tale(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    /// When the first of the waits began.
    began: Option<Instant>,
    /// Whether the submission was shown.
    submission: bool,
    /// When the last line was written, and how long until the next one without a change.
    line: Option<(Instant, Duration)>,
    /// When a wait without output last looked for an obstacle.
    looked: Option<Instant>,
    /// The key of the last line.
    key: String,
    /// The obstacles and silences that were shown on the terminal.
    news: Vec<String>,
}

/// Shows the progress of one wait.
#[derive(Debug)]
pub(crate) struct Reporter {
    mode: ProgressMode,
    about: Arc<About>,
    tale: Tale,
    waiting: Waiting,
    due: Instant,
    bar: Option<Bar>,
    /// Whether a bar was shown.
    was_shown: bool,
}

impl Tale {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter {
    pub(crate) fn new(mode: ProgressMode, about: About, tale: &Tale) -> Self {
        interrupt::listen();
        let about = Arc::new(about);
        let now = Instant::now();
        tale.told().began.get_or_insert(now);
        let waiting = Waiting::begin(Arc::clone(&about));
        let mode = mode.resolved();
        let tale = tale.clone();
        Self { mode, about, tale, waiting, due: now, bar: None, was_shown: false }
    }

    /// Returns the time at which the next output is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        Some(self.due)
    }

    /// Shows the progress if it is due.
    pub(crate) fn tick(&mut self, view: impl FnOnce() -> View) {
        let now = Instant::now();
        if now < self.due {
            return;
        }
        if self.mode == ProgressMode::Off {
            self.due = now + WORDS_AFTER;
            if self.waited() >= WORDS_AFTER {
                self.tale.told().log_obstacle(&self.about, view);
            }
            return;
        }
        let is_bar = self.mode == ProgressMode::Bar;
        self.due = now + if is_bar { TICK } else { LOOK };
        let waited = self.waited();
        let patience = if is_bar && !self.about.is_job { BAR_AFTER } else { self.patience() };
        if waited < patience {
            return;
        }
        let Some(others) = self.waiting.enter() else { return };
        if is_bar {
            self.draw(&view(), others);
        } else {
            self.line_if_due(view, others);
        }
    }

    /// Clears the bar, because the program may print before it waits again. A line that is due is written,
    /// however short each wait is.
    pub(crate) fn pause(&mut self, view: impl FnOnce() -> View) {
        if let Some(bar) = self.bar.take() {
            bar.clear();
            // The next wait shows the bar at once.
            self.due = Instant::now();
        } else if self.mode != ProgressMode::Bar {
            self.tick(view);
        }
        self.waiting.leave();
    }

    /// Shows the end of the wait, if its progress was shown before.
    pub(crate) fn end(&mut self, view: impl FnOnce() -> View) {
        if self.was_shown {
            self.was_shown = false;
            if self.about.is_job {
                self.bar.take().iter().for_each(Bar::clear);
            } else if let Some(others) = self.waiting.enter() {
                self.draw(&view(), others);
                self.was_shown = false;
                self.bar.take().iter().for_each(Bar::leave);
            }
        } else if self.mode != ProgressMode::Bar && self.tale.told().line.take().is_some() {
            let waited = Span(self.waited());
            let name = &self.about.name;
            match self.about.is_job {
                true => write_line(&format!("{name}: ended after {waited}")),
                false => {
                    write_line(&format!("{name}: {}, after {waited}", view().line(&self.about)))
                }
            }
        }
        self.waiting.leave();
    }

    fn waited(&self) -> Duration {
        self.tale.told().began.map(|began| began.elapsed()).unwrap_or_default()
    }

    fn patience(&self) -> Duration {
        if self.mode == ProgressMode::Log { Duration::from_secs(60) } else { WORDS_AFTER }
    }

    fn longest_silence(&self) -> Duration {
        Duration::from_secs(if self.mode == ProgressMode::Log { 3600 } else { 300 })
    }

    fn draw(&mut self, view: &View, others: usize) {
        let waited = self.waited();
        let about = &self.about;
        let new = || Bar::new(about, view.progress.items as u64, waited);
        self.bar = self.bar.take().or_else(new);
        self.waiting.draws(self.bar.clone());
        let Some(bar) = &self.bar else { return };
        let mut message = match (about.is_job, view.waiting(about)) {
            (true, waiting) => waiting.unwrap_or_else(|| "submitted".to_owned()),
            (false, Some(waiting)) => format!("{}; {waiting}", view.counts()),
            (false, None) => view.counts(),
        };
        if others > 0 {
            message.push_str(&format!(" (and {others} more waits)"));
        }
        if waited >= WORDS_AFTER {
            self.tale.told().tell_news(about, view, |line| bar.print_above(&line));
        }
        bar.draw(message, view.progress.ended() as u64);
        self.was_shown = true;
    }

    fn line_if_due(&mut self, view: impl FnOnce() -> View, others: usize) {
        let (first, most) = (self.patience(), self.longest_silence());
        let mut told = self.tale.told();
        let last = told.line;
        let since = last.map(|(at, _)| at.elapsed());
        if since.is_some_and(|since| since < first.max(AFTER_CHANGE)) {
            return;
        }
        let view = view();
        let is_due = last.zip(since).is_none_or(|((_, interval), since)| since >= interval);
        let key = view.key();
        if !is_due && (self.mode == ProgressMode::Log || key == told.key) {
            return;
        }
        told.tell_news(&self.about, &view, |line| write_line(&line));
        let others = if others > 0 { format!(" (and {others} more waits)") } else { String::new() };
        write_line(&format!("{}: {}{others}", self.about.name, view.line(&self.about)));
        let interval = last.map_or(first.max(AFTER_CHANGE), |(_, interval)| interval * 2);
        told.line = Some((Instant::now(), interval.min(most)));
        told.key = key;
    }
}

impl Told {
    /// Logs once that a job can never start, for a wait without output.
    fn log_obstacle(&mut self, about: &About, view: impl FnOnce() -> View) {
        // A view of an array looks at each element, so it is not made at every tick.
        if self.looked.is_some_and(|at| at.elapsed() < WORDS_AFTER) {
            return;
        }
        self.looked = Some(Instant::now());
        let blocked = view().blocked().filter(|blocked| !self.news.contains(blocked));
        if let Some(blocked) = blocked {
            log::warn!("{about}: {blocked}");
            self.news.push(blocked);
        }
    }

    /// Prints lines that stay on the terminal: the submission, obstacles and sources that do not answer.
    fn tell_news(&mut self, about: &About, view: &View, mut tell: impl FnMut(String)) {
        if !std::mem::replace(&mut self.submission, true) {
            tell(about.to_string());
        }
        let obstacle = view.obstacle().map(|obstacle| (obstacle.clone(), obstacle));
        // A silence is shown once, not again for each second.
        let silences =
            view.silences.iter().map(|silence| (silence.words.clone(), silence.to_string()));
        for (what, line) in obstacle.into_iter().chain(silences) {
            if !self.news.contains(&what) {
                tell(format!("{}: {line}", about.name));
                self.news.push(what);
            }
        }
        if view.silences.is_empty() && view.obstacle().is_none() {
            self.news.clear();
        }
    }
}

/// Writes a line to standard error. A failure is ignored: there is no other place to report it.
fn write_line(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
