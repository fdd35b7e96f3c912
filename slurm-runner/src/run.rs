//! One run of one call.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use slurm_core::context::{JobContext, StopFlag};
use slurm_core::durable;
use slurm_core::events::{Event, EventKind};
use slurm_core::frame::FrameError;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Failure, FailureKind, Outcome, RunReport};
use slurm_core::registry::Registry;
use slurm_core::spec::{Argument, ReadError, Spec};
use slurm_core::task::{Arguments, TaskEntry};

use crate::panics::PanicLog;
use crate::{environment, exit, signals};

/// Runs the call that the spec at `path` describes and returns the exit code of the process.
///
/// Whatever goes wrong is written as the outcome if that is possible, and told on standard error.
pub fn run(path: &Path) -> u8 {
    let started_at = environment::now_micros();
    let dir = JobDir::at(path.parent().unwrap_or(Path::new(".")));
    let writer = Arc::new(Writer::new(&dir, started_at));
    let loaded = fs::read(path)
        .map_err(|error| {
            Failure::new(FailureKind::Spec, format!("cannot read {}: {error}", path.display()))
        })
        .and_then(|bytes| load(&bytes, path));
    match loaded {
        Ok((spec, entry)) => call(&spec, entry, dir, &writer),
        Err(failure) => {
            let code = match failure.kind {
                FailureKind::UnknownTask => exit::UNKNOWN_TASK,
                FailureKind::Signature | FailureKind::Version => exit::VERSION,
                _ => exit::SPEC,
            };
            tell(&failure);
            // The code says already that the job failed before it could start.
            let _ = writer.write(None, Ending::Failure(Box::new(failure)));
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
            format!("this binary has no task `{}`; it has: {}", frame.task, known.join(", "));
        return Err(Failure::new(FailureKind::UnknownTask, message));
    };
    if entry.signature != frame.signature {
        let message = format!(
            "`{}` has other parameter or return types in this binary than in the one that submitted it",
            entry.name
        );
        return Err(Failure::new(FailureKind::Signature, message));
    }
    Ok((spec, entry))
}

fn call(spec: &Spec, entry: &'static TaskEntry, dir: JobDir, writer: &Arc<Writer>) -> u8 {
    let stop = StopFlag::default();
    if let Err(error) = signals::install(stop.clone()) {
        tell(&Failure::new(FailureKind::Error, format!("signals will not be noticed: {error}")));
    }
    let panics = PanicLog::default();
    let on_abort = Arc::clone(writer);
    panics.install(move |failure| {
        // Nothing can be done about an outcome that cannot be written while the process is dying.
        let _ = on_abort.write(Some(entry), Ending::Failure(Box::new(failure)));
    });
    let deadline = spec.time_limit.map(|seconds| SystemTime::now() + Duration::from_secs(seconds));
    let variable = |name: &str| std::env::var(name).ok();
    let context = JobContext::from_environment(variable, dir, stop)
        .with_submission(spec.pre_id.clone(), deadline);
    writer.append(&Event::now(EventKind::Started {
        job_id: context.job_id(),
        restart_count: context.restart_count(),
        host: environment::host(),
        pid: std::process::id(),
        stdout: environment::file_behind(1),
        stderr: environment::file_behind(2),
    }));

    let ending = arguments(spec).and_then(|owned| {
        let slices: Vec<&[u8]> = owned.iter().map(AsRef::as_ref).collect();
        writer.enter();
        catch_unwind(AssertUnwindSafe(|| (entry.run)(&context, Arguments::new(&slices))))
            .unwrap_or_else(|payload| Err(panics.failure(payload.as_ref())))
    });
    let code = if ending.is_ok() { exit::DONE } else { exit::FAILED };
    let ending = match ending {
        Ok(value) => Ending::Value(value),
        Err(failure) => {
            // The hook has printed a panic already.
            if failure.kind != FailureKind::Panic {
                tell(&failure);
            }
            Ending::Failure(Box::new(failure))
        }
    };
    // One outcome speaks for all processes: the value of the first, or the failure of whichever failed.
    if context.rank() != 0 && code == exit::DONE {
        return code;
    }
    if let Err(failure) = writer.write(Some(entry), ending) {
        tell(&failure);
        return exit::OUTCOME;
    }
    writer.append(&Event::now(EventKind::Finished { exit_code: code }));
    code
}

/// The encoded arguments, read from the outcomes of other jobs where the spec says so.
fn arguments(spec: &Spec) -> Result<Vec<Cow<'_, [u8]>>, Failure> {
    let of_upstream = |path: &Path| {
        let failure = |reason: String| {
            Failure::new(
                FailureKind::Argument,
                format!("cannot use the result {}: {reason}", path.display()),
            )
        };
        let bytes = fs::read(path).map_err(|error| failure(error.to_string()))?;
        let (outcome, _) =
            Outcome::from_bytes(&bytes).map_err(|error| failure(error.to_string()))?;
        match outcome.ending {
            Ending::Value(value) => Ok(value),
            Ending::Failure(upstream) => Err(failure(upstream.to_string())),
        }
    };
    let resolve = spec.arguments.iter().map(|argument| match argument {
        Argument::Inline(bytes) => Ok(Cow::Borrowed(bytes.as_slice())),
        Argument::ResultOf(path) => of_upstream(path).map(Cow::Owned),
        _ => {
            Err(Failure::new(FailureKind::Version, "an argument of a kind unknown to this runner"))
        }
    });
    resolve.collect()
}

/// Writes what the client will read.
#[derive(Debug)]
struct Writer {
    dir: JobDir,
    started_at: u64,
    entered_at: AtomicU64,
    restart_count: u32,
    rank: u32,
    several: bool,
}

impl Writer {
    fn new(dir: &JobDir, started_at: u64) -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse::<u32>().ok();
        let (restarts, rank) = (number("SLURM_RESTART_COUNT"), number("SLURM_PROCID").unwrap_or(0));
        let several = number("SLURM_NTASKS").is_some_and(|tasks| tasks > 1);
        if several && rank == 0 && restarts.is_some() {
            // The failure of the run before must not stand in the way of this one's outcome.
            let _ = fs::remove_file(dir.result());
        }
        Self {
            dir: dir.clone(),
            started_at,
            entered_at: AtomicU64::new(0),
            restart_count: restarts.unwrap_or(0),
            rank,
            several,
        }
    }

    fn enter(&self) {
        self.entered_at.store(environment::now_micros(), Ordering::Relaxed);
    }

    fn write(&self, entry: Option<&TaskEntry>, ending: Ending) -> Result<(), Failure> {
        let (task, signature) = entry.map_or(("", 0), |entry| (entry.name, entry.signature));
        let host = environment::host();
        let run = RunReport {
            node: std::env::var("SLURMD_NODENAME").unwrap_or_else(|_| host.clone()),
            host,
            pid: std::process::id(),
            rank: self.rank,
            restart_count: self.restart_count,
            started_at: self.started_at,
            entered_at: self.entered_at.load(Ordering::Relaxed),
            finished_at: environment::now_micros(),
            peak_memory_kib: environment::peak_memory_kib(),
        };
        let outcome = Outcome { ending, run };
        let failure =
            |reason: String| Failure::new(FailureKind::Value, format!("the outcome {reason}"));
        let bytes = match outcome.to_bytes(task, signature) {
            Ok(bytes) => bytes,
            // Too large for a frame: say so in place of the value.
            Err(error) => {
                let ending = Ending::Failure(Box::new(failure(error.to_string())));
                let outcome = Outcome { ending, ..outcome };
                outcome.to_bytes(task, signature).map_err(|error| failure(error.to_string()))?
            }
        };
        let is_value = matches!(outcome.ending, Ending::Value(_));
        let (path, written) = match (self.several, is_value) {
            (false, _) => (self.dir.result(), durable::write(&self.dir.result(), &bytes)),
            // It becomes the result once all processes have ended well.
            (true, true) => (self.dir.value(), durable::write(&self.dir.value(), &bytes)),
            (true, false) => (self.dir.result(), durable::write_first(&self.dir.result(), &bytes)),
        };
        written
            .map_err(|error| failure(format!("cannot be written to {}: {error}", path.display())))
    }

    fn append(&self, event: &Event) {
        // The diary informs people; a job does not fail for it.
        let _ = event.append_to(&self.dir.events());
    }
}

#[allow(clippy::print_stderr, reason = "standard error of the job is where a person looks first")]
fn tell(failure: &Failure) {
    eprintln!("slurm-sdk: {failure}");
}

/// Reads the command line behind `__slurm`, if it is the runner's: `run SPEC`.
pub fn spec_path(arguments: &[OsString]) -> Option<&Path> {
    match arguments {
        [role, path] if role == "run" => Some(Path::new(path)),
        _ => None,
    }
}
