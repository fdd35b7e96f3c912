//! The files that a single call leaves.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use slurm_core::durable;
use slurm_core::events::Event;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Failure, FailureKind, Outcome, RunReport};
use slurm_core::task::TaskEntry;

use crate::{environment, exit};

/// Writes the outcome and the diary of a call.
#[derive(Debug)]
pub(crate) struct Writer {
    dir: JobDir,
    started_at: u64,
    entered_at: AtomicU64,
    several: bool,
}

impl Writer {
    pub(crate) fn new(dir: &JobDir, started_at: u64) -> Self {
        let several = environment::is_one_of_several();
        Self { dir: dir.clone(), started_at, entered_at: AtomicU64::new(0), several }
    }

    pub(crate) fn enter(&self) {
        self.entered_at.store(environment::now_micros(), Ordering::Relaxed);
    }

    /// Writes the outcome. A value that cannot be written is replaced by a failure with the reason. A failure
    /// is small, so it may fit where the value did not.
    ///
    /// # Errors
    /// The failure, and its exit code.
    pub(crate) fn write(
        &self,
        entry: Option<&TaskEntry>,
        ending: Ending,
    ) -> Result<(), (Box<Failure>, u8)> {
        let is_value = matches!(ending, Ending::Value(_));
        let written = self.write_once(entry, ending);
        if let (Err((failure, _)), true) = (&written, is_value) {
            // The first error is reported, even if the failure does not fit either.
            let _ = self.write_once(entry, Ending::Failure(failure.clone()));
        }
        written
    }

    fn write_once(
        &self,
        entry: Option<&TaskEntry>,
        ending: Ending,
    ) -> Result<(), (Box<Failure>, u8)> {
        let (task, signature) = entry.map_or(("", 0), |entry| (entry.name, entry.signature));
        let run = RunReport {
            entered_at: self.entered_at.load(Ordering::Relaxed),
            finished_at: environment::now_micros(),
            peak_memory_kib: environment::peak_memory_kib(),
            ..environment::report(self.started_at)
        };
        let restarts = run.restart_count;
        let outcome = Outcome { ending, run };
        let failure = |reason: String| {
            Box::new(Failure::new(FailureKind::Value, format!("the outcome {reason}")))
        };
        let bytes = match outcome.to_bytes(task, signature) {
            Ok(bytes) => bytes,
            // A value that is too large for a frame is replaced by a failure.
            Err(error) => {
                let ending = Ending::Failure(failure(error.to_string()));
                let outcome = Outcome { ending, ..outcome };
                let bytes = outcome.to_bytes(task, signature);
                bytes.map_err(|error| (failure(error.to_string()), exit::OUTCOME))?
            }
        };
        let is_value = matches!(outcome.ending, Ending::Value(_));
        let (path, written) = match (self.several, is_value) {
            (false, _) => (self.dir.result(), durable::write(&self.dir.result(), &bytes)),
            // The value becomes the result when all processes have succeeded.
            (true, true) => {
                let path = self.dir.value(restarts);
                let written = durable::write(&path, &bytes);
                (path, written)
            }
            (true, false) => (self.dir.result(), durable::write_first(&self.dir.result(), &bytes)),
        };
        written.map_err(|error: io::Error| {
            let reason = format!("cannot be written to {}: {error}", path.display());
            (failure(reason), exit::unwritten(&error))
        })
    }

    pub(crate) fn append(&self, event: &Event) {
        // The diary is for people, so a job does not fail if it cannot be written.
        let _ = event.append_to(&environment::diary(&self.dir));
    }
}
