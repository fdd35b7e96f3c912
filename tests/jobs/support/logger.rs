//! A logger for tests that count requests, and for people: `SLURM_SDK_TEST_LOG=1`.

use std::sync::Mutex;
use std::time::Instant;

use log::{LevelFilter, Log, Metadata, Record};

struct Logger {
    requests: Mutex<Vec<String>>,
    all: Mutex<String>,
}

static LOGGER: Logger = Logger { requests: Mutex::new(Vec::new()), all: Mutex::new(String::new()) };

impl Log for Logger {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        if std::env::var_os("SLURM_SDK_TEST_LOG").is_some() {
            static BEGAN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
            let began = BEGAN.get_or_init(Instant::now).elapsed();
            eprintln!("{:7.3} {} {}", began.as_secs_f64(), record.target(), record.args());
        }
        if record.target() == "slurm::ssh" {
            self.requests.lock().unwrap().push(record.args().to_string());
        }
        let line = format!("{} {}: {}\n", record.level(), record.target(), record.args());
        self.all.lock().unwrap().push_str(&line);
    }

    fn flush(&self) {}
}

pub(crate) fn install() {
    log::set_logger(&LOGGER).unwrap();
    log::set_max_level(LevelFilter::Trace);
}

/// Returns the requests that were made since the last call, each a round trip.
pub(crate) fn requests() -> Vec<String> {
    std::mem::take(&mut LOGGER.requests.lock().unwrap())
}

/// Returns everything that this process has logged, at every level.
pub(crate) fn logged() -> String {
    LOGGER.all.lock().unwrap().clone()
}
