//! The log messages of this library, collected for tests.

use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, ThreadId};

use log::{Level, LevelFilter, Log, Metadata, Record};

struct Logs(Mutex<Vec<(ThreadId, Level, String)>>);

static LOGS: Logs = Logs(Mutex::new(Vec::new()));

impl Log for Logs {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (thread::current().id(), record.level(), record.args().to_string());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    fn flush(&self) {}
}

pub(crate) fn collect() {
    log::set_logger(&LOGS).unwrap();
    log::set_max_level(LevelFilter::Trace);
}

thread_local! {
    static BEGIN: Cell<usize> = const { Cell::new(0) };
}

/// Marks the start of a test on this thread.
pub(crate) fn begin() {
    BEGIN.set(LOGS.0.lock().unwrap().len());
}

/// Returns the messages that this test has logged at a level.
pub(crate) fn at(level: Level) -> Vec<String> {
    let logs = LOGS.0.lock().unwrap();
    let own = logs[BEGIN.get()..]
        .iter()
        .filter(|line| line.0 == thread::current().id() && line.1 == level);
    own.map(|line| line.2.clone()).collect()
}

/// Returns all messages of all tests.
pub(crate) fn all() -> Vec<String> {
    LOGS.0.lock().unwrap().iter().map(|line| line.2.clone()).collect()
}
