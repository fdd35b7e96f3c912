//! Things that cannot be given a time limit of their own.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Runs `work` on a thread of its own and returns what it returned, or `None` if it took longer than
/// `limit`. It then goes on, unheard.
pub(super) fn within<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("slurm-ssh".to_owned()).spawn(move || sender.send(work())).ok()?;
    receiver.recv_timeout(limit).ok()
}

/// A limit in the milliseconds that libssh2 takes, where 0 would mean for ever.
pub(super) fn milliseconds(limit: Duration) -> u32 {
    u32::try_from(limit.as_millis()).unwrap_or(u32::MAX).max(1)
}
