//! The process that jobs of the embedded backend belong to.
//!
//! One thread owns all state and takes events from a channel: requests from connections, ends of
//! processes, and the passing of time. Everything else is threads that wait for one thing and report it.

mod admit;
mod ahead;
mod array;
#[cfg(test)]
mod array_tests;
mod cancel;
mod conclude;
mod correspond;
mod dependency;
mod environment;
mod identity;
mod ids;
mod job;
mod jobs;
mod journal;
mod line;
mod marks;
mod memory;
mod process;
mod replay;
mod room;
mod scheduler;
mod serve;
mod take_over;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use slurm_runner::exit;

use self::scheduler::Scheduler;
use self::serve::Socket;
use super::capacity::Capacity;
use super::protocol::{Place, Reply, Request};
use crate::backend::Exit;

/// Something that the scheduler has to react to.
#[derive(Debug)]
enum Event {
    Connected,
    Disconnected,
    Request(Request, mpsc::Sender<Reply>),
    /// A process of a job ended; `None` if how is not known.
    Exited {
        job: slurm_core::ids::JobId,
        pid: u32,
        exit: Option<Exit>,
    },
}

/// How long a supervisor without jobs and clients stays.
const IDLE: Duration = Duration::from_secs(3);
/// How often it looks whether its files are still there.
const CHECK: Duration = Duration::from_secs(1);

/// Runs the supervisor whose files are in `dir`, until there is nothing left to do.
pub(crate) fn supervise(dir: &Path) -> u8 {
    match run(&Place::at(dir)) {
        Ok(()) => 0,
        Err(error) => {
            log(&format!("the supervisor of {} ended: {error}", dir.display()));
            // The log may be on the same disk.
            exit::unwritten(&error)
        }
    }
}

fn run(place: &Place) -> io::Result<()> {
    // A session of its own, so that closing the terminal does not reach it. It fails for the leader of
    // a process group, which this process is when the client started it; that serves as well.
    let _ = rustix::process::setsid();
    let lock = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(place.lock())?;
    match lock.try_lock() {
        Ok(()) => {}
        // There is one already.
        Err(TryLockError::WouldBlock) => return Ok(()),
        Err(TryLockError::Error(error)) => {
            return Err(io::Error::new(error.kind(), no_lock(&place.lock(), &error)));
        }
    }
    let (sender, events) = mpsc::channel();
    let mut scheduler = Scheduler::new(place, capacity(), sender.clone())?;
    let mut socket = Socket::listen(place, &sender)?;
    let mut connections = 0_usize;
    let (mut idle_since, mut checked_at) = (Instant::now(), Instant::now());
    loop {
        scheduler.advance();
        let now = Instant::now();
        if connections > 0 || scheduler.is_busy() {
            idle_since = now;
        }
        let wake = scheduler.next_alarm().unwrap_or(now + CHECK).min(checked_at + CHECK);
        match events.recv_timeout(wake.saturating_duration_since(now)) {
            Ok(Event::Connected) => connections += 1,
            Ok(Event::Disconnected) => connections -= 1,
            // It belongs to the supervisor of the new directory: without an answer, the client looks for it.
            Ok(Event::Request(Request::Submit(_), _)) if !still_there(place, &lock) => {}
            Ok(Event::Request(request, answer)) => {
                // A client that is gone does not wait for its answer.
                let _ = answer.send(scheduler.handle(request));
            }
            Ok(Event::Exited { job, pid, exit }) => scheduler.exited(job, pid, exit),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if scheduler.is_untidy() && still_there(place, &lock) {
            scheduler.tidy();
        }
        if checked_at.elapsed() < CHECK {
            continue;
        }
        checked_at = Instant::now();
        let abandoned = !still_there(place, &lock);
        if !abandoned {
            socket.restore(place, &sender);
        }
        let unused = connections == 0 && idle_since.elapsed() >= IDLE;
        if !scheduler.is_busy() && (abandoned || unused) {
            return Ok(());
        }
    }
}

/// Explains a failed lock. A supervisor needs one, because two supervisors would run jobs twice.
fn no_lock(path: &Path, error: &io::Error) -> String {
    format!(
        "{} cannot be locked: {error}; the file system must have locks (flock), so choose a job base \
         directory on another one: `job_base_dir` in the Slurmfile or on the builder, or \
         `--job-base-dir`",
        path.display()
    )
}

/// Whether the directory is still the one whose lock is held.
fn still_there(place: &Place, lock: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    let inode = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|metadata| metadata.ino());
    inode(fs::metadata(place.lock())).is_some_and(|found| Some(found) == inode(lock.metadata()))
}

fn capacity() -> Capacity {
    let number = |name: &str| std::env::var(name).ok()?.parse().ok();
    Capacity::of_this_machine(number("SLURM_SDK_LOCAL_CPUS"), number("SLURM_SDK_LOCAL_GPUS"))
}

/// Reads bytes as a request, a journal, and a line of `/proc`; for the fuzz targets.
pub(super) fn read_anything(bytes: &[u8], request: Option<Request>) {
    if let Some(Request::Submit(request)) = request {
        let id = slurm_core::ids::JobId::new(7).zip(Some(*request));
        if let Some(Ok(job)) = id.map(|(id, request)| job::LocalJob::new(id, request)) {
            let _ = job::log_path(&job.request.stdout, &job);
            let _ = job::Alarms::new(&job.request, Duration::ZERO, None);
        }
    }
    let (mut jobs, ..) = journal::read(bytes);
    let lines = journal::lines(&mut jobs, 0).unwrap_or_default();
    let again = journal::read(&lines).0.count();
    assert_eq!(again, jobs.count(), "what is rewritten tells the same");
    let _ = identity::parse(bytes);
}

/// Writes to standard error, which is the supervisor's log file. Errors are ignored, so that a full disk stops no job.
fn log(message: &str) {
    let _ = writeln!(io::stderr(), "slurm-sdk: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_locks_is_told_with_the_way_out() {
        let told = no_lock(Path::new("/base/.local/vm/lock"), &io::ErrorKind::Unsupported.into());
        assert!(told.contains("/base/.local/vm/lock") && told.contains("--job-base-dir"), "{told}");
    }
}
