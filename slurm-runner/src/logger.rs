//! A logger for programs and jobs without one.

use std::time::{SystemTime, UNIX_EPOCH};

use env_filter::{Builder, Filter};
use log::{Level, LevelFilter, Log, Metadata, Record};
use slurm_core::ids::timestamp;

use crate::tell;

/// The variable with the filter, in the form of `RUST_LOG`.
const VARIABLE: &str = "SLURM_SDK_LOG";

/// The filter if the variable is not set.
const IN_JOBS: &str = "info";
const ELSEWHERE: &str = "slurm=warn";

/// Writes records to standard error.
#[derive(Debug)]
struct Logger {
    filter: Filter,
    /// Whether lines have a time, which log files need because they are read later.
    timed: bool,
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.filter.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.filter.matches(record) {
            return;
        }
        let line = if self.timed {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now = timestamp(now.as_secs());
            format!("{now} {:5} {}: {}\n", record.level(), record.target(), record.args())
        } else {
            let level = match record.level() {
                Level::Warn => "warning".to_owned(),
                other => other.as_str().to_lowercase(),
            };
            format!("{level}: {}\n", record.args())
        };
        // Control characters in foreign text must not reach a terminal.
        tell::line(&line.replace(|c: char| c.is_control() && c != '\n' && c != '\t', "?"));
    }

    fn flush(&self) {}
}

/// Shows the log messages of a task, unless the program has a logger.
pub(crate) fn install_in_job() {
    install(IN_JOBS, true);
}

/// Shows the warnings of this library on standard error, unless the program has a logger.
pub fn install_in_program() {
    install(ELSEWHERE, false);
}

fn install(default: &str, timed: bool) {
    let text = std::env::var(VARIABLE).unwrap_or_else(|_| default.to_owned());
    let mut builder = Builder::new();
    let problem = builder.try_parse(&text).err();
    if problem.is_some() {
        builder = Builder::new();
        let _ = builder.try_parse(default);
    }
    let filter = builder.build();
    let level = filter.filter();
    // Install nothing, so that a program or a task can install its own logger.
    if level == LevelFilter::Off {
        return;
    }
    if log::set_boxed_logger(Box::new(Logger { filter, timed })).is_ok() {
        log::set_max_level(level);
        if let Some(problem) = problem {
            log::warn!(target: "slurm", "ignoring `{text}` in {VARIABLE}: {problem}");
        }
    }
}
