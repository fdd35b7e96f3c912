//! Dry runs: the submissions of a program up to the point where it needs a result.
//!
//! Each submission is recorded, and `submit` returns a placeholder, on which later submissions can depend and
//! which they can take as an argument. Asking for the state or the result of a placeholder is
//! [`Error::DryRun`](crate::Error::DryRun).

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slurm_core::ids::JobId;
use slurm_core::spec::Argument;
use slurm_core::task::TaskEntry;

use super::{Cluster, Ledger};
use crate::error::{Error, Result};
use crate::model::Explanation;

/// The submissions of a dry run so far.
#[derive(Debug)]
pub(crate) struct DryRun {
    /// Whether each submission is printed.
    prints: bool,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    /// The number of placeholders.
    jobs: u32,
    submissions: Vec<Explanation>,
}

impl DryRun {
    pub(crate) fn new(prints: bool) -> Self {
        Self { prints, notes: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the id of another placeholder.
    fn next_job(&self) -> Option<JobId> {
        let mut notes = self.lock();
        notes.jobs = notes.jobs.saturating_add(1);
        JobId::new(notes.jobs)
    }

    /// Records a submission, and prints it if the user asked for that.
    pub(crate) fn record(&self, job: JobId, explanation: &Explanation) {
        if self.prints {
            // A failure to print is ignored: the program may have closed its standard output.
            let _ = writeln!(std::io::stdout(), "submission {job}\n{explanation}");
        }
        self.lock().submissions.push(explanation.clone());
    }
}

/// The ledger of a dry run. `around` is the ledger that the submitter would have without it.
#[derive(Debug)]
pub(super) struct Rehearsal {
    pub(super) run: Arc<DryRun>,
    pub(super) around: Arc<dyn Ledger>,
}

impl Ledger for Rehearsal {
    fn jobs_dir(&self, base: &Path) -> PathBuf {
        self.around.jobs_dir(base)
    }

    fn within(&self) -> Option<JobId> {
        self.around.within()
    }

    fn waiting(&self) -> Vec<JobId> {
        self.around.waiting()
    }

    fn may_submit_inside_jobs(&self) -> bool {
        self.around.may_submit_inside_jobs()
    }

    fn sends(&self) -> bool {
        false
    }

    fn record(
        &self,
        cluster: &Cluster,
        explanation: &Explanation,
        _: &TaskEntry,
        _: Option<&[Argument]>,
    ) -> Result<Option<(JobId, Cluster)>> {
        let Some(job) = self.run.next_job() else { return Ok(None) };
        self.run.record(job, explanation);
        let placeholders =
            Placeholders { run: Arc::clone(&self.run), dir: cluster.jobs_dir().join("tasks") };
        Ok(Some((job, cluster.for_planned(Arc::new(placeholders)))))
    }
}

/// The ledger of placeholders.
#[derive(Debug)]
struct Placeholders {
    run: Arc<DryRun>,
    dir: PathBuf,
}

impl Ledger for Placeholders {
    fn jobs_dir(&self, _: &Path) -> PathBuf {
        self.dir.clone()
    }

    fn may_submit_inside_jobs(&self) -> bool {
        true
    }

    fn sends(&self) -> bool {
        false
    }

    fn is_planned(&self) -> bool {
        true
    }

    fn only_planned(&self, task: &str) -> Option<Error> {
        Some(Error::DryRun { task: task.to_owned() })
    }

    fn record(
        &self,
        cluster: &Cluster,
        explanation: &Explanation,
        _: &TaskEntry,
        _: Option<&[Argument]>,
    ) -> Result<Option<(JobId, Cluster)>> {
        let Some(job) = self.run.next_job() else { return Ok(None) };
        self.run.record(job, explanation);
        Ok(Some((job, cluster.clone())))
    }
}

impl Cluster {
    /// Returns the submissions so far, if this is a [dry run](crate::ClusterBuilder::dry_run).
    pub fn rehearsed(&self) -> Vec<Explanation> {
        self.rehearsal().map(|run| run.lock().submissions.clone()).unwrap_or_default()
    }
}
