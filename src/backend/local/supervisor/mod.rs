//! The process that jobs of the embedded backend belong to.
//!
//! | folder or file | holds |
//! |---|---|
//! | `core` | the decisions: an event and the time in, actions out |
//! | `effects` | carries the actions out, and tells the core what came of them |
//! | `run` | the loop that takes messages, and the lock |
//! | `serve` | the socket |
//! | `journal`, `line`, `ids`, `environment` | the files by which the next supervisor knows the jobs |
//! | `process`, `identity`, `memory`, `log_path` | processes of jobs |
//! | `marks`, `outcome` | the files that a run leaves |
//! | `traces` | what the supervisor before this one has left |

mod core;
mod effects;
mod environment;
mod fuzz;
mod identity;
mod ids;
mod journal;
mod line;
mod log_path;
mod marks;
mod memory;
mod outcome;
mod process;
mod run;
mod serve;
#[cfg(test)]
mod tests;
mod traces;

use std::io::{self, Write};

pub(super) use fuzz::read_anything;
pub(crate) use run::supervise;

/// Writes to standard error, which is the supervisor's log file. Errors are ignored, so that a full disk stops no job.
fn log(message: &str) {
    let _ = writeln!(io::stderr(), "slurm-sdk: {message}");
}
