//! An item whose end is reported.

use std::path::{Path, PathBuf};

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::outcome::Failure;
use slurm_host::{Found, Look};

use super::JobArray;
use super::state::Attempt;
use crate::backend::Backend;
use crate::conclude::{self, Case, Entered};
use crate::error::UpstreamFailure;
use crate::model::ArrayHandle;

/// Placeholder id for items that were never submitted.
const NOBODY: JobId = match JobId::new(u32::MAX) {
    Some(id) => id,
    // Evaluated by the compiler: the number is not 0.
    None => unreachable!(),
};

/// An item whose end is reported.
pub(super) struct Item<'a, T> {
    array: &'a JobArray<T>,
    index: u64,
    pub(super) attempt: Option<(usize, u64)>,
    job: JobId,
    place: (u32, u64),
    dir: JobDir,
    node: Option<String>,
    entered: Option<Entered>,
    panic: Option<Failure>,
}

impl<'a, T> Item<'a, T> {
    pub(super) fn new(array: &'a JobArray<T>, index: u64, attempt: Option<(usize, u64)>) -> Self {
        let state = array.watch.state();
        let of_attempt =
            |number: usize, attempt: &Attempt| Some((number, attempt.shares.element_of(index)?));
        let attempt = attempt.or_else(|| {
            let mut attempts = state.attempts.iter().enumerate().rev();
            attempts.find_map(|(number, attempt)| of_attempt(number, attempt))
        });
        let found = attempt.and_then(|(number, element)| {
            let attempt = state.attempts.get(number)?;
            Some((attempt, attempt.place(element)?, attempt.element(element)?))
        });
        match found {
            Some((of, (job, place), element)) => Self {
                array,
                index,
                attempt,
                job,
                place: (place, index),
                dir: of.dir.clone(),
                node: element.run.as_ref().map(|run| run.node.clone()),
                entered: element.entered(),
                panic: (element.panicked.as_ref())
                    .and_then(|(item, failure)| (*item == index).then(|| failure.clone())),
            },
            None => Self {
                array,
                index,
                attempt,
                job: NOBODY,
                place: (0, index),
                dir: JobDir::at(&array.handle.dir),
                node: None,
                entered: None,
                panic: None,
            },
        }
    }

    pub(super) fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }
}

impl<T> Item<'_, T> {
    /// Returns the last run that several processes have reached. They leave no segment before the end.
    fn entered_by_one_of_several(&self) -> Option<Entered> {
        let (_, element) = self.attempt?;
        if self.array.has_values.get() == Some(&false) {
            return None;
        }
        let path = self.dir.values();
        let host = self.array.cluster.backend().host();
        let found = host.look(&[Look::Dir { path }], 0).ok()?.pop()?.ok()?;
        let Found::Names(names) = found else {
            // Arrays whose elements have several processes have the directory from the beginning.
            let _ = self.array.has_values.set(false);
            return None;
        };
        let run = |name: &String| {
            let (of, run) = name.split_once('.')?;
            (of.parse() == Ok(element)).then(|| run.parse().ok())?
        };
        let run = names.iter().filter_map(run).max()?;
        Some(Entered { run, has_exited: false })
    }
}

impl<T> Case for Item<'_, T> {
    fn id(&self) -> JobId {
        self.job
    }

    fn submission_id(&self) -> &SubmissionId {
        &self.array.handle.submission_id
    }

    fn task(&self) -> &str {
        let ArrayHandle { task, .. } = &self.array.handle;
        task
    }

    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn place(&self) -> Option<(u32, u64)> {
        Some((self.place.0, self.index))
    }

    fn entered(&self) -> Option<Entered> {
        self.entered.or_else(|| self.entered_by_one_of_several())
    }

    fn panic(&self) -> Option<Failure> {
        self.panic.clone()
    }

    fn stderr_end(&self) -> (Option<PathBuf>, String) {
        const ENOUGH: u64 = 4096;
        let path = self.dir.element_stderr(self.job, self.place.0);
        let host = self.array.cluster.backend().host();
        let bytes = host.read_end(&path, ENOUGH).ok().flatten().unwrap_or_default();
        let end = String::from_utf8_lossy(&bytes).into_owned();
        (Some(path), end)
    }

    fn upstream(&self) -> Vec<UpstreamFailure> {
        let array = self.array;
        let find = || {
            let edges = array.explain().map_or(&[][..], |explanation| &explanation.after);
            conclude::upstream(array.cluster.backend(), edges)
        };
        array.upstream.get_or_init(find).clone()
    }

    fn backend(&self) -> &dyn Backend {
        self.array.cluster.backend()
    }
}
