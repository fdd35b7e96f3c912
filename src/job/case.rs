//! What is known of a job that has ended.

use std::path::{Path, PathBuf};

use slurm_core::events::{Event, EventKind};
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Failure, FailureKind, Outcome};

use super::Job;
use crate::backend::Backend;
use crate::conclude::{self, Case, Entered};
use crate::error::UpstreamFailure;

impl<T> Case for Job<T> {
    fn id(&self) -> JobId {
        self.handle.job_id
    }

    fn submission_id(&self) -> &SubmissionId {
        &self.handle.submission_id
    }

    fn task(&self) -> &str {
        &self.handle.task
    }

    fn dir(&self) -> &Path {
        &self.handle.dir
    }

    fn entered(&self) -> Option<Entered> {
        let result = self
            .cluster
            .backend()
            .host()
            .read(&JobDir::at(&self.handle.dir).result(), 0)
            .ok()
            .flatten();
        let outcome = result.and_then(|bytes| Some(Outcome::from_bytes(&bytes).ok()?.0));
        let exited = outcome.filter(|outcome| {
            matches!(&outcome.ending, Ending::Failure(failure) if failure.kind == FailureKind::Exited)
        });
        let exited = exited.map(|outcome| outcome.run.restart_count);
        let diaries = self.diaries().unwrap_or_default();
        // On a full disk a diary exists and is empty.
        let exists = !diaries.is_empty();
        let runs = diaries.iter().flatten().filter_map(|event| match event.event {
            EventKind::Started { restart_count, .. } => Some(restart_count),
            _ => None,
        });
        let noted = exists.then(|| runs.max().unwrap_or(0));
        let run = noted.max(exited)?;
        Some(Entered { run, has_exited: exited == Some(run) })
    }

    fn panic(&self) -> Option<Failure> {
        let (message, location) = Event::last_panic(self.events())?;
        let location = location.map(String::into_boxed_str);
        Some(Failure { location, ..Failure::new(FailureKind::Panic, message) })
    }

    fn stderr_end(&self) -> (Option<PathBuf>, String) {
        self.end_of_stderr()
    }

    fn upstream(&self) -> Vec<UpstreamFailure> {
        let edges = self.explain().map_or(&[][..], |explanation| &explanation.after);
        conclude::upstream(self.cluster.backend(), edges)
    }

    fn backend(&self) -> &dyn Backend {
        self.cluster.backend()
    }
}
