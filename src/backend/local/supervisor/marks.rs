//! The progress of a run, in files that its processes leave in the job's directory.
//!
//! When a supervisor dies, the exit codes of its children are lost. So each run has files beside the job's script until
//! its end is in the journal. They are empty, and the runner renames the one that is there, so that a full disk keeps
//! none of them away:
//!
//! | file | says |
//! |---|---|
//! | `ready` | the run was prepared, and marks what it does from now on |
//! | `begun` | the supervisor has noted all processes and released them |
//! | `entered` | the task is being called; `begun` until then |
//! | `{rank}-{code}` | the runner of this process has ended with this exit code |

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use slurm_core::durable;
use slurm_core::events::{Event, EventKind};
use slurm_core::ids::JobId;
use slurm_core::layout::{JobDir, RunMark};

use super::core::{Found, RunFiles};

/// The marks of one run of a job.
#[derive(Debug)]
pub(super) struct Marks {
    /// The common prefix of their paths.
    pub(super) prefix: PathBuf,
}

impl Marks {
    pub(super) fn of(files: &RunFiles) -> Self {
        Self { prefix: files.marks() }
    }

    fn path(&self, mark: RunMark) -> PathBuf {
        mark.path(&self.prefix)
    }

    /// Returns the path of the mark that the script begins.
    pub(super) fn begun(&self) -> PathBuf {
        self.path(RunMark::Begun)
    }

    /// Makes a run ready to begin.
    pub(super) fn prepare(&self) -> io::Result<()> {
        self.remove();
        if let Some(parent) = self.prefix.parent() {
            durable::create_dirs(parent)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(self.path(RunMark::Ready)).map(drop)
    }

    /// Returns the marks that are there now.
    pub(super) fn found(&self) -> Found {
        let dir = self.prefix.parent().unwrap_or(Path::new("."));
        let prefix = self.prefix.file_name().unwrap_or_default().to_string_lossy();
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        let marks = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            RunMark::read(name.strip_prefix(&*prefix)?.strip_prefix('.')?)
        });
        Found(marks.collect())
    }

    /// Returns when the run began, or was prepared.
    pub(super) fn began_at(&self) -> Option<SystemTime> {
        fs::metadata(self.path(RunMark::Ready)).and_then(|metadata| metadata.modified()).ok()
    }

    /// Whether there are marks of a run that is prepared or has begun.
    pub(super) fn are_there(&self) -> bool {
        self.path(RunMark::Ready).exists()
    }

    /// Removes the marks of a run whose end is noted.
    pub(super) fn remove(&self) {
        // Remove `ready` first: the others mean nothing without it, and this supervisor may be killed here.
        let _ = fs::remove_file(self.path(RunMark::Ready));
        for mark in self.found().0 {
            // What cannot be removed means nothing.
            let _ = fs::remove_file(self.path(mark));
        }
        // The directory may hold the marks of other elements of the array.
        let _ = self.prefix.parent().map(fs::remove_dir);
    }
}

/// Returns the jobs of a directory that have marks of a run, and how often they were requeued before it.
pub(super) fn runs_in(dir: &JobDir) -> Vec<(JobId, u32)> {
    let begun = |name: String| {
        let (run, "ready") = name.rsplit_once('.')? else { return None };
        let (id, restarts) = run.split_once('.')?;
        Some((id.parse().ok()?, restarts.parse().ok()?))
    };
    let Ok(entries) = fs::read_dir(dir.all_run_marks()) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut runs: Vec<_> = names.filter_map(begun).collect();
    // Of an earlier run, marks may be left.
    runs.sort_unstable();
    runs
}

/// Whether the runner's diary or a result proves that this run of a job, not of an element of an array, reached the runner.
pub(super) fn was_entered(files: &RunFiles) -> bool {
    let dir = &files.dir;
    let diary = fs::read_to_string(dir.events()).unwrap_or_default();
    let is_this_run = |event: &Event| {
        matches!(&event.event, EventKind::Started { job_id, restart_count, .. }
            if *job_id == Some(files.job) && *restart_count == files.restarts)
    };
    dir.result().exists() || Event::read_all(&diary).iter().any(is_this_run)
}
