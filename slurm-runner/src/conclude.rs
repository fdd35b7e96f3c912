//! The end of a job of several processes that has failed or asks for another run.
//!
//! If one process fails, srun ends the others, and srun may return the exit code of one of those. So the shell
//! around each process notes the first exit code, and the batch script calls this program once more to decide
//! the exit code of the job.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use slurm_core::layout::{FIRST_EXIT, JobDir};
use slurm_core::outcome::{Ending, Failure, FailureKind, Outcome};
use slurm_core::requeue::RequeueNote;
use slurm_core::segment::{HEADER, RecordKind, Records};

use crate::requeue::note_path;
use crate::tell::tell;
use crate::together::publish;
use crate::writer::Writer;
use crate::{environment, exit, scontrol};

/// A job of several processes, or an element of an array of such jobs.
#[derive(Debug)]
struct Several {
    spec: PathBuf,
    dir: JobDir,
    element: Option<u64>,
}

/// Runs the last call of the batch script, if the command line behind `__slurm` names it: `conclude SPEC CODE`,
/// and for an array also the number of its first element. `CODE` is srun's exit code. Returns the exit code of
/// the process.
pub fn role(arguments: &[OsString]) -> Option<u8> {
    let (spec, code, first) = match arguments {
        [role, spec, code] if role == "conclude" => (spec, code, None),
        [role, spec, code, first] if role == "conclude" => {
            (spec, code, Some(first.to_str()?.parse::<u64>().ok()?))
        }
        _ => return None,
    };
    environment::set_several(true);
    let spec = PathBuf::from(spec);
    let index = u64::from(environment::number("SLURM_ARRAY_TASK_ID").unwrap_or(0));
    let dir = JobDir::at(spec.parent().unwrap_or(Path::new(".")));
    let job = Several { element: first.map(|first| first + index), dir, spec };
    let of_srun = code.to_str()?.parse().unwrap_or(exit::FAILED);
    Some(job.conclude(of_srun, first_exit()))
}

/// Reads the exit code of the first process that failed by itself.
fn first_exit() -> Option<u8> {
    let path = PathBuf::from(std::env::var_os(FIRST_EXIT)?);
    let code = fs::read_to_string(&path).ok()?.trim().parse().ok();
    // The file is no longer needed. A file that stays does no harm.
    let _ = fs::remove_file(path);
    code
}

impl Several {
    /// Decides how the job ends: as its outcome says; with another run, if a process asks for one; otherwise
    /// like the process that failed first.
    fn conclude(&self, of_srun: u8, first: Option<u8>) -> u8 {
        let code = first.unwrap_or(of_srun);
        match self.outcome() {
            Some(Left::Failure) => return exit::FAILED,
            Some(Left::Exited) => return code,
            None => {}
        }
        let restart_count = environment::number("SLURM_RESTART_COUNT").unwrap_or(0);
        if RequeueNote::read(&note_path(&self.dir), restart_count).is_some() {
            return match scontrol::requeue() {
                Ok(()) => exit::REQUEUE,
                Err(failure) => {
                    self.publish(&failure);
                    tell(&failure);
                    exit::FAILED
                }
            };
        }
        code
    }

    /// Returns the kind of the outcome that the run has left, if there is one.
    fn outcome(&self) -> Option<Left> {
        let path = match self.element {
            Some(element) => self.dir.segment(element),
            None => self.dir.result(),
        };
        let bytes = fs::read(path).ok()?;
        let is_exit = match self.element {
            Some(_) => !Records::new(&bytes, HEADER).any(|record| record.kind == RecordKind::Failure),
            None => Outcome::from_bytes(&bytes).is_ok_and(|(outcome, _)| {
                matches!(outcome.ending, Ending::Failure(failure) if failure.kind == FailureKind::Exited)
            }),
        };
        Some(if is_exit { Left::Exited } else { Left::Failure })
    }

    fn publish(&self, failure: &Failure) {
        if let Some(element) = self.element {
            return publish(&self.spec, &self.dir, element, failure);
        }
        let writer = Writer::new(&self.dir, environment::now_micros());
        // A write error is ignored, because the exit code also reports the failure.
        let _ = writer.write(None, Ending::Failure(Box::new(failure.clone())));
    }
}

/// The outcome that a process has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// A process ended before its task had returned.
    Exited,
    Failure,
}
