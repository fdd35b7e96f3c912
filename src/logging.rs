//! A logger for programs without one.

use std::sync::atomic::{AtomicBool, Ordering};

use slurm_runner::logger;

/// Whether to install a logger when the library is first used.
static WANTED: AtomicBool = AtomicBool::new(false);

/// Shows the warnings of this library on standard error, unless the program has a logger.
///
/// [`#[slurm::main]`](crate::main) does the same. A program with its own logger installs it first.
/// The variable `SLURM_SDK_LOG` sets the filter, in the form of `RUST_LOG`: `slurm=debug`, or `off`.
pub fn init_logging() {
    logger::install_in_program();
}

/// Delays [`init_logging`] until the library is first used, so that `main` can install a logger of its own.
pub(crate) fn init_later() {
    WANTED.store(true, Ordering::SeqCst);
}

/// Installs the logger if that was delayed.
pub(crate) fn init_now() {
    if WANTED.load(Ordering::Relaxed) && WANTED.swap(false, Ordering::SeqCst) {
        init_logging();
    }
}
