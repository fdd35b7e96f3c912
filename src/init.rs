//! The first call in `main`.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;

use slurm_core::registry::Registry;
use slurm_core::roles::INTERNAL;

use crate::error::Result;

/// Makes this program able to run its own tasks. Call it first in `main`, before any code that reads the
/// command line or starts threads. [`#[slurm::main]`](crate::main) adds the call.
///
/// In a process that was started as a job (its first argument is `__slurm`), this runs the task and ends the
/// process. In any other process it checks the tasks of the program and returns.
///
/// A task runs on its own thread, so `main` may be asynchronous (`#[tokio::main]`) and tasks may create
/// runtimes. The thread's stack has the size of the main thread's stack (`ulimit -s`), or `RUST_MIN_STACK`
/// bytes. Log messages of the task (crate `log`, and `tracing` with its feature `log`) go to the job's standard
/// error, from the level `info` on or as `SLURM_SDK_LOG` filters them, which has the form of `RUST_LOG`. The
/// program needs no logger for this. If `main` installs a logger before this call, that logger stays. A task
/// that installs a logger must call `try_init`, or run with `SLURM_SDK_LOG=off`.
///
/// In a job, a hook of the runner prints and saves panics. It replaces any hook that `main` has set before.
///
/// A test harness (`#[test]` functions) has its own `main`, so such a program cannot run its own tasks.
/// Submitting from it is [`Error::TestHarness`](crate::Error::TestHarness), unless `runner_binary` names
/// another program.
///
/// # Errors
/// [`Error::Registry`](crate::Error::Registry) if two tasks have the same name, if the linker dropped a task,
/// or if a constant in an attribute is not a valid value of its option.
pub fn init() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|first| first == INTERNAL) {
        let rest: Vec<OsString> = arguments.collect();
        end_process(run_role(&rest));
    }
    Registry::get()?;
    crate::cluster::was_initialized();
    Ok(())
}

#[allow(clippy::exit, reason = "a runner must never return to the submitter's `main`")]
fn end_process(code: u8) -> ! {
    std::process::exit(code.into())
}

fn run_role(arguments: &[OsString]) -> u8 {
    if let Some(invocation) = slurm_runner::Invocation::read(arguments) {
        return slurm_runner::run(invocation);
    }
    if let Some(code) = slurm_runner::conclude(arguments) {
        return code;
    }
    match arguments {
        // The answer proves that this program runs on the node.
        [role] if role == "ready" => slurm_runner::exit::READY,
        [role, dir] if role == "supervise" => crate::backend::local::supervise(Path::new(dir)),
        _ => {
            let message = "slurm-sdk: `__slurm` is for slurm-sdk's own use; it takes `run SPEC`";
            let _ = writeln!(std::io::stderr(), "{message}");
            2
        }
    }
}
