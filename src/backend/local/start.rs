//! Starting a supervisor, and what is to be said of one that does not come up.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use slurm_core::layout::RUN_MARKS;
use slurm_core::roles::INTERNAL;
use slurm_host::Binary;
use slurm_runner::exit;

use super::capacity::Capacity;
use super::protocol::Place;

/// A supervisor that was started and need not have come up.
#[derive(Debug)]
pub(super) struct Started {
    child: Child,
    at: Instant,
    log: PathBuf,
    /// Of the log when it was started: what is before was written by others.
    log_length: u64,
}

/// Starts supervisors until one is there.
#[derive(Debug, Default)]
pub(super) struct Starter {
    last: Option<Started>,
}

/// One that ended well found that another holds the lock; if that one is about to end, it takes this long.
const AGAIN: Duration = Duration::from_secs(1);
/// The last line of a log is looked for in as many bytes.
const TAIL: u64 = 4096;

impl Starter {
    /// Starts a supervisor unless one is on its way.
    ///
    /// # Errors
    /// It could not be started, or it said that it cannot work; the next one could not either.
    pub(super) fn ensure(
        &mut self,
        start: impl FnOnce() -> Result<Started, String>,
    ) -> Result<(), String> {
        let status = match &mut self.last {
            None => None,
            Some(started) => match started.child.try_wait() {
                Ok(None) => return Ok(()),
                Ok(Some(status)) if status.success() && started.at.elapsed() < AGAIN => {
                    return Ok(());
                }
                Ok(Some(status)) => Some(status),
                Err(error) => return Err(error.to_string()),
            },
        };
        if status.and_then(|status| status.code()) == Some(exit::DISK_FULL.into()) {
            return Err(self.explain("it cannot start: the disk is full, or the quota used up"));
        }
        if status.is_some_and(|status| status.code().is_some_and(|code| code != 0)) {
            return Err(self.explain("it cannot start"));
        }
        self.last = Some(start()?);
        Ok(())
    }

    /// Adds to a problem what the supervisor itself said last.
    pub(super) fn explain(&self, problem: &str) -> String {
        let Some(started) = &self.last else { return problem.to_owned() };
        match started.last_words() {
            Some(words) => format!("{problem}: {words}"),
            None => format!("{problem}; see {}", started.log.display()),
        }
    }
}

impl Drop for Starter {
    fn drop(&mut self) {
        if let Some(Started { mut child, .. }) = self.last.take() {
            // It usually outlives this process; if not, it must not stay a zombie.
            thread::spawn(move || child.wait());
        }
    }
}

impl Started {
    fn last_words(&self) -> Option<String> {
        let mut log = File::open(&self.log).ok()?;
        let length = log.metadata().ok()?.len();
        let mut bytes = Vec::new();
        log.seek(SeekFrom::Start(self.log_length.max(length.saturating_sub(TAIL)))).ok()?;
        log.take(TAIL).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
        Some(line.strip_prefix("slurm-sdk: ").unwrap_or(line).to_owned())
    }
}

/// Starts a supervisor in the background.
pub(super) fn start(place: &Place, capacity: Capacity) -> Result<Started, String> {
    let dir = place.dir();
    let in_dir = |error: io::Error| format!("cannot use {}: {error}", dir.display());
    place.create().map_err(|error| error.with_source())?;
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(place.log())
        .map_err(in_dir)?;
    let log_length = log.metadata().map_err(in_dir)?.len();
    let copy = log.try_clone().map_err(in_dir)?;
    let program = Binary::running().map_err(|error| error.to_string())?;
    let Capacity { cpus, gpus, .. } = capacity;
    let child = Command::new(&program.path)
        .arg0(&program.name)
        .args([INTERNAL, "supervise"])
        .arg(dir)
        .env("SLURM_SDK_LOCAL_CPUS", cpus.to_string())
        .env("SLURM_SDK_LOCAL_GPUS", gpus.to_string())
        // It may be a job that starts it, and outlives that job.
        .env_remove(RUN_MARKS)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(copy)
        // Ctrl-C in the client's terminal is not for it.
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start {}: {error}", program.path.display()))?;
    Ok(Started { child, at: Instant::now(), log: place.log(), log_length })
}
