//! The exit codes of the runner.
//!
//! Up to Slurm 25.05, sacct subtracts 128 from larger codes; shells use 125 to 127; and Rust exits with 101
//! after a panic in `main`. So the runner's own codes are between these. A task that calls
//! [`std::process::exit`] may use any code, but then it leaves no outcome.

use std::io;

/// The function returned a value, and the value is written.
pub const DONE: u8 = 0;
/// The spec could not be read.
pub const SPEC: u8 = 110;
/// The program has no task with the name in the spec.
pub const UNKNOWN_TASK: u8 = 111;
/// The program and the spec do not match: another format version, or other types.
pub const VERSION: u8 = 112;
/// The outcome could not be written.
pub const OUTCOME: u8 = 113;
/// The job was asked to stop before all calls of an element were made.
pub const STOPPED: u8 = 114;

/// The outcome could not be written, because its file system is full or the quota is used up.
pub const DISK_FULL: u8 = 116;

/// The run asks for another run, so there is no outcome yet.
pub const REQUEUE: u8 = 115;
/// The function returned an error or panicked, and the failure is written. The code is not 1, because most
/// programs that exit by themselves or cannot start end with 1.
pub const FAILED: u8 = 121;
/// The batch script could not start the runner: a line of `setup` failed, or the working directory does not
/// exist.
pub const SETUP: u8 = 117;
/// The program does not run on the node.
pub const UNFIT: u8 = 118;
/// The answer of a program that the batch script runs to find out whether it runs on the node.
pub const READY: u8 = 119;
/// One of several processes ended with 0 before its task had returned.
pub const EXITED: u8 = 120;
/// One of several processes has finished its task. The code is not 0, because a task that ends its process by
/// itself may end it with 0. The shell around the process translates it.
pub const PART_DONE: u8 = 122;

/// Returns the code for an outcome that could not be written because of `error`.
pub fn unwritten(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DISK_FULL,
        _ => OUTCOME,
    }
}

/// Returns whether `code` proves that the runner had started: only a runner with a valid spec, or a Rust
/// program after a panic, ends with these codes.
pub fn is_after_start(code: u8) -> bool {
    const PANIC: u8 = 101;
    matches!(code, PANIC | OUTCOME | DISK_FULL | STOPPED | REQUEUE | FAILED | EXITED)
}

/// Returns whether a runner that ends with `code` has not called the task.
pub fn is_before_task(code: u8) -> bool {
    matches!(code, SPEC | UNKNOWN_TASK | VERSION)
}

/// Returns the meaning of one of the runner's own codes, for a job that left no outcome.
pub fn describe(code: u8) -> Option<&'static str> {
    Some(match code {
        SPEC => "the runner could not read the job's spec",
        UNKNOWN_TASK => "the program has no such task",
        VERSION => "the program and the job's spec do not match",
        OUTCOME => "the runner could not write the outcome",
        DISK_FULL => {
            "the runner could not write the outcome: the disk is full, or the quota is exceeded"
        }
        STOPPED => "the element was asked to stop before it had made all of its calls",
        REQUEUE => "it asked to be requeued, and Slurm has not started it again",
        SETUP => "the batch script could not prepare the task",
        UNFIT => "the program does not run on the node",
        EXITED => "a process ended by itself before the task had returned",
        _ => return None,
    })
}
