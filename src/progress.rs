//! Telling a person how far arrays have come, while the program waits for them.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::str::FromStr;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::array::Progress;
use crate::error::Error;

/// Whether waiting for an array tells on standard error how far it has come, and
/// [`as_completed`](crate::as_completed) how far all of its jobs have.
///
/// The library itself is silent. A program that opens its cluster through
/// [`ClusterArgs`](crate::ClusterArgs) or `#[slurm::main]` has `--progress`, which is `auto`
/// unless the variable `SLURM_SDK_PROGRESS` says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProgressMode {
    /// A bar on a terminal, lines elsewhere.
    Auto,
    /// A bar that is redrawn.
    Bar,
    /// A line every ten seconds, and one at the end.
    Plain,
    /// Nothing.
    #[default]
    Off,
}

impl ProgressMode {
    /// Every mode.
    pub const ALL: &'static [Self] = &[Self::Auto, Self::Bar, Self::Plain, Self::Off];

    /// Returns whether what takes long is shown as a bar.
    #[cfg(feature = "ssh")]
    pub(crate) fn is_a_bar(self) -> bool {
        self == Self::Bar || self == Self::Auto && std::io::stderr().is_terminal()
    }

    /// Returns the name, as on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Bar => "bar",
            Self::Plain => "plain",
            Self::Off => "off",
        }
    }
}

impl fmt::Display for ProgressMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ProgressMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Self::ALL.iter().find(|mode| mode.as_str() == text);
        known.copied().ok_or_else(|| Error::Config {
            message: format!("`{text}` is no way to show progress"),
            hint: "choose `auto`, `bar`, `plain` or `off`".to_owned(),
        })
    }
}

/// Shows how far one wait has come.
#[derive(Debug)]
pub(crate) struct Reporter {
    mode: ProgressMode,
    name: String,
    began: Instant,
    bar: Option<ProgressBar>,
    /// Whether there was a bar.
    was_shown: bool,
    /// When the last line was written.
    told: Option<Instant>,
}

/// A wait that is over sooner needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two lines.
const LINES: Duration = Duration::from_secs(10);
/// Between two pictures of the bar.
const TICK: Duration = Duration::from_millis(200);

impl Reporter {
    pub(crate) fn new(mode: ProgressMode, name: String) -> Self {
        let mode = match mode {
            ProgressMode::Auto if std::io::stderr().is_terminal() => ProgressMode::Bar,
            ProgressMode::Auto => ProgressMode::Plain,
            mode => mode,
        };
        Self { mode, name, began: Instant::now(), bar: None, was_shown: false, told: None }
    }

    /// Returns when to show something next.
    pub(crate) fn next(&self) -> Option<Instant> {
        match self.mode {
            ProgressMode::Bar => Instant::now().checked_add(TICK),
            ProgressMode::Plain => self.told.unwrap_or(self.began).checked_add(LINES),
            _ => None,
        }
    }

    /// Shows how far it has come.
    pub(crate) fn show(&mut self, progress: Progress) {
        match self.mode {
            ProgressMode::Bar if self.began.elapsed() >= PATIENCE => self.draw(progress),
            ProgressMode::Plain if self.next().is_some_and(|next| next <= Instant::now()) => {
                self.told = Some(Instant::now());
                self.line(progress);
            }
            _ => {}
        }
    }

    /// Leaves the terminal to the program before it waits on: the bar goes until it is shown again. A line that
    /// is due is written, however short each of the waits is.
    pub(crate) fn pause(&mut self, progress: impl FnOnce() -> Progress) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let due = || self.next().is_some_and(|next| next <= Instant::now());
        if self.mode == ProgressMode::Plain && due() {
            self.show(progress());
        }
    }

    /// Shows the end, if anything was shown before.
    pub(crate) fn end(&mut self, progress: impl FnOnce() -> Progress) {
        if self.was_shown {
            self.was_shown = false;
            self.draw(progress());
            self.bar.take().iter().for_each(ProgressBar::abandon);
        } else if self.told.take().is_some() {
            self.line(progress());
        }
    }

    fn draw(&mut self, progress: Progress) {
        let Self { name, began, .. } = self;
        let bar = || new_bar(name, progress.items as u64).with_elapsed(began.elapsed());
        let bar = self.bar.get_or_insert_with(bar);
        bar.set_message(counts(progress));
        bar.set_position(progress.ended() as u64);
        self.was_shown = true;
    }

    fn line(&self, progress: Progress) {
        let Progress { items, .. } = progress;
        let (ended, counts) = (progress.ended(), counts(progress));
        // A closed standard error is nobody who could be told.
        let _ = writeln!(std::io::stderr(), "{}: {ended} of {items} items, {counts}", self.name);
    }
}

/// Returns the earlier of two moments, if there is one.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// Returns the name of a task as a person calls it.
pub(crate) fn short_name(task: &str) -> String {
    task.rsplit("::").next().unwrap_or_default().to_owned()
}

fn counts(progress: Progress) -> String {
    let mut text = format!("{} running", progress.running);
    if progress.failed > 0 {
        text.push_str(&format!(", {} failed", progress.failed));
    }
    text
}

fn new_bar(name: &str, items: u64) -> ProgressBar {
    let template = "{prefix} [{bar:30}] {human_pos}/{human_len} {msg}, {elapsed} (ends in {eta})";
    let style = ProgressStyle::with_template(template);
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
    let bar = ProgressBar::with_draw_target(Some(items), ProgressDrawTarget::stderr());
    bar.with_style(style).with_prefix(name.to_owned()).with_message("0 running")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_by_its_name() {
        for mode in ProgressMode::ALL {
            assert_eq!(mode.to_string().parse::<ProgressMode>().unwrap(), *mode);
        }
        let error = "none".parse::<ProgressMode>().unwrap_err();
        assert!(error.hint().unwrap().contains("`off`"));
    }

    #[test]
    fn failures_are_counted_when_there_are_some() {
        let progress = Progress { items: 9, succeeded: 3, failed: 0, running: 2 };
        assert_eq!(counts(progress), "2 running");
        assert_eq!(counts(Progress { failed: 1, ..progress }), "2 running, 1 failed");
    }
}
