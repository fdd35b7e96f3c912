//! Exits that bypass the runner: the task calls [`std::process::exit`], or a library calls C's `exit`.
//!
//! The exit code may be the same as after a written value. So a handler leaves a note that no value will come.
//! Without it, the client would have to wait for as long as a file server may hide a new file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

use slurm_core::outcome::{EXITED, Failure, FailureKind};

/// Returns the outcome of a process that has ended by itself.
pub(crate) fn failure() -> Failure {
    Failure::new(FailureKind::Exited, EXITED)
}

/// The handler that leaves the note, and the id of the process that may run it. A fork of the task must not run
/// it.
struct Watched {
    pid: u32,
    leave: Box<dyn FnOnce() + Send>,
}

static WATCHED: Mutex<Option<Watched>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// Calls `leave` if the process ends before [`is_over`] is called.
pub(crate) fn watch(leave: impl FnOnce() + Send + 'static) {
    let watched = Watched { pid: std::process::id(), leave: Box::new(leave) };
    *WATCHED.lock().unwrap_or_else(PoisonError::into_inner) = Some(watched);
    HOOK.call_once(|| {
        // A failure only makes the client wait longer.
        let _ = shutdown_hooks::add_shutdown_hook(at_exit);
    });
}

/// Turns the handler off, because the runner ends the process itself.
pub(crate) fn is_over() {
    WATCHED.lock().unwrap_or_else(PoisonError::into_inner).take();
}

extern "C" fn at_exit() {
    let watched = WATCHED.try_lock().ok().and_then(|mut watched| watched.take());
    if let Some(Watched { leave, .. }) = watched.filter(|by| by.pid == std::process::id()) {
        // A panic must not leave a function that C calls.
        let _ = catch_unwind(AssertUnwindSafe(leave));
    }
}
