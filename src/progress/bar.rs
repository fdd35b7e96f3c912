//! Bars on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::view::About;

/// The bar of a wait.
#[derive(Clone, Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    /// Returns the bar of a wait for `items` items that has lasted so long; `None` if no bar can be shown.
    #[allow(clippy::unnecessary_wraps, reason = "without the feature `progress` there is none")]
    pub(super) fn new(about: &About, items: u64, waited: Duration) -> Option<Self> {
        let template = match about.is_job {
            true => "{spinner} {prefix}, {elapsed}: {wide_msg}",
            false => {
                "{prefix} [{bar:30}] {human_pos}/{human_len}, {elapsed} (ends in {eta}), {wide_msg}"
            }
        };
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ");
        let bar = ProgressBar::with_draw_target(Some(items), ProgressDrawTarget::stderr());
        let name = match (about.is_job, about.jobs.first()) {
            (true, Some(job)) => format!("{}, job {job}", about.name),
            _ => about.name.clone(),
        };
        Some(Self(bar.with_style(style).with_prefix(name).with_elapsed(waited)))
    }

    /// Draws the bar with a message. `ended` is the number of items that have ended.
    pub(super) fn draw(&self, message: String, ended: u64) {
        self.0.set_message(message);
        self.0.set_position(ended);
        self.0.tick();
    }

    /// Prints a line above the bar.
    pub(super) fn print_above(&self, line: &str) {
        self.0.println(line);
    }

    /// Removes the bar from the terminal.
    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }

    /// Leaves the bar on the terminal as it is.
    pub(super) fn leave(&self) {
        self.0.abandon();
    }
}

/// Makes the bar of an upload. It draws nothing if standard error is no terminal.
#[cfg(feature = "ssh")]
pub(super) const METER: Option<slurm_host::NewMeter> = Some(|what, bytes| {
    let template = "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}";
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(bytes);
    bar.set_message(what.to_owned());
    Box::new(Upload(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))))
});

#[cfg(feature = "ssh")]
struct Upload(ProgressBar);

#[cfg(feature = "ssh")]
impl slurm_host::Meter for Upload {
    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

#[cfg(feature = "ssh")]
impl Drop for Upload {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
