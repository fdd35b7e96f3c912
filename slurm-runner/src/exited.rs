//! The end of a process that the runner does not bring about: the task calls [`std::process::exit`], or a library
//! calls C's `exit`.
//!
//! Its exit code may be that of a runner that has written a value. So it leaves something that says that nothing
//! will come; otherwise the client would have to wait as long as a file server may hide a new file.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, Once, PoisonError};

/// What is left behind, by the process with this number: one that the task forks leaves nothing.
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
        // Without it, the client waits longer.
        let _ = shutdown_hooks::add_shutdown_hook(at_exit);
    });
}

/// Says that the runner has done its work, and ends the process itself.
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
