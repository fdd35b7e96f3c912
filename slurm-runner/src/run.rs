//! One run of the program inside a job.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use slurm_core::frame::FrameError;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Failure, FailureKind};
use slurm_core::registry::Registry;
use slurm_core::spec::{ReadError, Spec, Work};
use slurm_core::task::TaskEntry;

use crate::call::call;
use crate::element::element;
use crate::tell::tell;
use crate::writer::Writer;
use crate::{environment, exit, exited, logger, stack};

/// Runs the spec at `path` and returns the exit code of the process. The spec describes one call, or the calls
/// of the array element `first` plus the array index.
///
/// Any failure is printed on standard error and, for a single call, also written as the outcome if possible.
///
/// The task runs on its own thread, whose stack has the size of the main thread's stack or of `RUST_MIN_STACK`.
/// The task's log messages go to standard error, unless the program has a logger.
pub fn run(invocation: Invocation<'_>) -> u8 {
    environment::set_several(invocation.is_one_of_several);
    logger::install_in_job();
    let code = stack::on_own_thread(|| run_here(invocation.spec, invocation.first));
    exited::is_over();
    environment::mark_end(code);
    match code {
        exit::DONE if invocation.is_one_of_several => exit::PART_DONE,
        code => code,
    }
}

fn run_here(path: &Path, first: Option<u64>) -> u8 {
    let started_at = environment::now_micros();
    let dir = JobDir::at(path.parent().unwrap_or(Path::new(".")));
    let writer = Arc::new(Writer::new(&dir, started_at));
    if let Some(tasks) = environment::idle_tasks() {
        tell(&format_args!(
            "Slurm has allocated {tasks} tasks, but this job is one process, because none of its options asks for them. Set \
             `ntasks = {tasks}` to start one process for each; a plugin of the site may have asked for them"
        ));
    }
    let loaded = fs::read(path)
        .map_err(|error| {
            Failure::new(FailureKind::Spec, format!("cannot read {}: {error}", path.display()))
        })
        .and_then(|bytes| load(&bytes, path));
    match loaded {
        Ok((spec, entry)) => match &spec.work {
            Work::Call(arguments) => call(&spec, arguments, entry, dir, &writer),
            Work::Items(items) => {
                element(&spec, items, entry, &dir, first.unwrap_or(0), started_at)
            }
        },
        Err(failure) => {
            let code = match failure.kind {
                FailureKind::UnknownTask => exit::UNKNOWN_TASK,
                FailureKind::Signature | FailureKind::Version => exit::VERSION,
                _ => exit::SPEC,
            };
            // A write error is ignored, because the exit code already says that the job failed before its task.
            // The elements of an array share a directory, so they write no outcome.
            let ending = Ending::Failure(Box::new(failure.clone()));
            let _ = first.is_none().then(|| writer.write(None, ending));
            tell(&failure);
            code
        }
    }
}

fn load(bytes: &[u8], path: &Path) -> Result<(Spec, &'static TaskEntry), Failure> {
    let (spec, frame) = Spec::from_bytes(bytes).map_err(|error| {
        let kind = match error {
            ReadError::Frame(FrameError::Version { .. }) => FailureKind::Version,
            _ => FailureKind::Spec,
        };
        Failure::new(kind, format!("cannot use {}: {error}", path.display()))
    })?;
    let registry = Registry::get()
        .map_err(|error| Failure::new(FailureKind::UnknownTask, error.to_string()))?;
    let Some(entry) = registry.find(frame.task).filter(|entry| entry.name == frame.task) else {
        let known: Vec<_> = registry.iter().map(|entry| entry.name).collect();
        let message =
            format!("this program has no task `{}`; it has: {}", frame.task, known.join(", "));
        return Err(Failure::new(FailureKind::UnknownTask, message));
    };
    if entry.signature != frame.signature {
        let message = format!(
            "`{}` has other parameter or return types in this program than in the one that submitted it",
            entry.name
        );
        return Err(Failure::new(FailureKind::Signature, message));
    }
    Ok((spec, entry))
}

/// The command line behind `__slurm` of a runner: `run SPEC [FIRST] [several]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// The spec.
    pub spec: &'a Path,
    /// The number of the first element, for an array.
    pub first: Option<u64>,
    /// Whether the job has several processes, as the script says.
    pub is_one_of_several: bool,
}

impl<'a> Invocation<'a> {
    /// Reads the command line behind `__slurm`, if it is a runner's.
    pub fn read(arguments: &'a [OsString]) -> Option<Self> {
        let (role, arguments) = arguments.split_first()?;
        let (spec, arguments) = arguments.split_first()?;
        let (several, arguments) = match arguments.split_last() {
            Some((last, before)) if last == "several" => (true, before),
            _ => (false, arguments),
        };
        let first = match arguments {
            [] => None,
            [first] => Some(first.to_str()?.parse().ok()?),
            _ => return None,
        };
        (role == "run").then_some(Self { spec: Path::new(spec), first, is_one_of_several: several })
    }
}
