//! The supervisor's loop: one thread that takes messages from a channel.
//!
//! Everything else is threads that wait for one thing and report it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use slurm_core::ids::JobId;
use slurm_runner::exit;

use super::core::{Event, Found};
use super::effects::Supervisor;
use super::log;
use super::serve::Socket;
use crate::backend::Exit;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::{Place, Reply, Request};

/// What the threads of the supervisor report.
#[derive(Debug)]
pub(super) enum Message {
    Connected,
    Disconnected,
    Request(Request, mpsc::Sender<Reply>),
    /// A process of a job ended. The marks of its run are there if its exit code is not known.
    Exited {
        job: JobId,
        pid: u32,
        exit: Option<Exit>,
        found: Found,
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
    let mut supervisor = Supervisor::new(place, capacity(), sender.clone())?;
    let mut socket = Socket::listen(place, &sender)?;
    let mut connections = 0_usize;
    let (mut idle_since, mut checked_at) = (Instant::now(), Instant::now());
    loop {
        supervisor.on(Event::Tick);
        let now = Instant::now();
        if connections > 0 || supervisor.is_busy() {
            idle_since = now;
        }
        let wake = supervisor.next_alarm().unwrap_or(now + CHECK).min(checked_at + CHECK);
        match events.recv_timeout(wake.saturating_duration_since(now)) {
            Ok(Message::Connected) => connections += 1,
            Ok(Message::Disconnected) => connections -= 1,
            // It belongs to the supervisor of the new directory: without an answer, the client looks for it.
            Ok(Message::Request(Request::Submit(_), _)) if !still_there(place, &lock) => {}
            Ok(Message::Request(request, answer)) => {
                // A client that is gone does not wait for its answer.
                let _ = supervisor.answer(request).map(|reply| answer.send(reply));
            }
            Ok(Message::Exited { job, pid, exit, found }) => {
                supervisor.on(Event::Exited { job, pid, exit, found });
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        if supervisor.is_untidy() && still_there(place, &lock) {
            supervisor.on(Event::Tidy);
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
        if !supervisor.is_busy() && (abandoned || unused) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_system_without_locks_is_told_with_the_way_out() {
        let told = no_lock(Path::new("/base/.local/vm/lock"), &io::ErrorKind::Unsupported.into());
        assert!(told.contains("/base/.local/vm/lock") && told.contains("--job-base-dir"), "{told}");
    }
}
