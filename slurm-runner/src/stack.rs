//! The thread of a task.

use std::thread;

use rustix::process::{Resource, getrlimit};

/// The usual size of the main thread's stack.
const USUAL: usize = 8 << 20;
/// The size for `unlimited`, which a thread cannot have. Only the used part of a stack takes memory.
const UNLIMITED: usize = 1 << 30;

/// Returns the stack size of a thread that runs a task: `RUST_MIN_STACK` if set, otherwise the size of the main
/// thread's stack (`ulimit -s`), but not less than usual.
pub(crate) fn size() -> usize {
    let set = std::env::var("RUST_MIN_STACK").ok().and_then(|text| text.parse().ok());
    set.unwrap_or_else(|| match getrlimit(Resource::Stack).current {
        Some(limit) => usize::try_from(limit).unwrap_or(UNLIMITED).clamp(USUAL, UNLIMITED),
        None => UNLIMITED,
    })
}

/// Runs `work` on its own thread. `main` may be inside an asynchronous runtime, in which no other runtime can
/// be started.
pub(crate) fn on_own_thread<R: Send>(work: impl Fn() -> R + Sync) -> R {
    for size in [size(), USUAL] {
        let panicked = thread::scope(|scope| {
            let builder = thread::Builder::new().name("slurm-task".to_owned()).stack_size(size);
            Some(builder.spawn_scoped(scope, &work).ok()?.join())
        });
        match panicked {
            Some(Ok(result)) => return result,
            Some(Err(payload)) => std::panic::resume_unwind(payload),
            // A memory limit may be too low for the stack.
            None => {}
        }
    }
    work()
}
