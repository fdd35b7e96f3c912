//! Messages on standard error, which is the job's log.

use std::fmt::Display;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, write};

/// The longest wait of one message for a pipe whose reader does not read.
const PATIENCE: Duration = Duration::from_secs(1);

/// A ready pipe accepts this many bytes without blocking (`PIPE_BUF` of Linux).
const PIECE: usize = 4096;

/// Writes a line to standard error, if possible.
///
/// The log may be full, closed, or a pipe without a reader. None of these fails the work or delays it for
/// longer than [`PATIENCE`]. After the first timeout no further message waits.
pub(crate) fn tell(message: &dyn Display) {
    // The lock of `std::io::stderr` is avoided, because a thread of the task may hold it while it is blocked.
    line(&format!("slurm-sdk: {message}\n"));
}

/// Writes text to standard error as [`tell`] does.
pub(crate) fn line(text: &str) {
    let _ = write_bounded(&io::stderr(), text.as_bytes());
}

static BLOCKED: AtomicBool = AtomicBool::new(false);

fn write_bounded(stream: &impl AsFd, bytes: &[u8]) -> Result<(), Errno> {
    let patience = if BLOCKED.load(Ordering::Relaxed) { Duration::ZERO } else { PATIENCE };
    let deadline = Instant::now() + patience;
    let mut rest = bytes;
    while !rest.is_empty() {
        if !is_ready(stream, deadline)? {
            BLOCKED.store(true, Ordering::Relaxed);
            return Err(Errno::TIMEDOUT);
        }
        let piece = rest.get(..PIECE).unwrap_or(rest);
        match write(stream, piece) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => return Err(error),
        }
    }
    BLOCKED.store(false, Ordering::Relaxed);
    Ok(())
}

/// Returns whether a write would not block. Waits for that until `deadline`.
fn is_ready(stream: &impl AsFd, deadline: Instant) -> Result<bool, Errno> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(stream, PollFlags::OUT)], Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::OpenOptions;

    #[test]
    fn neither_a_full_log_nor_a_pipe_without_a_reader_stops_the_work() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(write_bounded(&full, b"message"), Err(Errno::NOSPC));
        let (reader, writer) = io::pipe().unwrap();
        let long = vec![b'x'; 1 << 20];
        assert_eq!(write_bounded(&writer, &long), Err(Errno::TIMEDOUT));
        // After a timeout, the next message does not wait.
        let began = Instant::now();
        assert_eq!(write_bounded(&writer, &long), Err(Errno::TIMEDOUT));
        assert!(began.elapsed() < PATIENCE / 2, "{:?}", began.elapsed());
        drop(reader);
        assert_eq!(write_bounded(&writer, b"message"), Err(Errno::PIPE));
    }
}
