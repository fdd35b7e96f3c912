//! A bar for an upload.

use indicatif::{ProgressBar, ProgressStyle};
use slurm_host::Meter;

/// A bar on standard error. It draws nothing if that is no terminal.
struct Bar(ProgressBar);

pub(super) fn meter(what: &str, bytes: u64) -> Box<dyn Meter> {
    let template = "{msg} {bar:30} {bytes} of {total_bytes}, {bytes_per_sec}";
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(bytes);
    bar.set_message(what.to_owned());
    Box::new(Bar(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))))
}

impl Meter for Bar {
    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
