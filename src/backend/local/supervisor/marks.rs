//! The progress of a run, in files that its processes leave in the job's directory.
//!
//! When a supervisor dies, the exit codes of its children are lost. So each run has files beside the job's script until
//! its end is in the journal. They are empty, so that they fit on a full disk:
//!
//! | file | says |
//! |---|---|
//! | `ready` | the run was prepared, and marks what it does from now on |
//! | `begun` | the supervisor has noted all processes and released them |
//! | one for each rank | the runner of this process has succeeded |

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::SystemTime;
use std::{fs, io};

use slurm_core::durable;
use slurm_core::events::{Event, EventKind};
use slurm_core::ids::JobId;
use slurm_core::layout::{self, JobDir};

use super::job::LocalJob;

/// The marks of one run of a job.
#[derive(Debug)]
pub(super) struct Marks {
    /// The common prefix of their paths.
    pub(super) prefix: PathBuf,
    tasks: u32,
}

impl Marks {
    pub(super) fn of(job: &LocalJob) -> Self {
        let prefix = JobDir::at(&job.request.dir).run_marks(job.id, job.restarts);
        Self { prefix, tasks: job.request.tasks }
    }

    /// Returns the path of the mark that the script begins.
    pub(super) fn begun(&self) -> PathBuf {
        layout::begun(&self.prefix)
    }

    fn ready(&self) -> PathBuf {
        self.prefix.with_added_extension("ready")
    }

    /// Makes a run ready to begin.
    pub(super) fn prepare(&self) -> io::Result<()> {
        self.remove();
        if let Some(parent) = self.prefix.parent() {
            durable::create_dirs(parent)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        options.open(self.ready()).map(drop)
    }

    /// Whether the run was prepared, and none of its processes was released.
    pub(super) fn never_began(&self) -> bool {
        self.are_there() && !self.begun().exists()
    }

    /// Returns when the run began, or was prepared.
    pub(super) fn began_at(&self) -> Option<SystemTime> {
        fs::metadata(self.ready()).and_then(|metadata| metadata.modified()).ok()
    }

    /// Whether there are marks of a run that is prepared or has begun.
    pub(super) fn are_there(&self) -> bool {
        self.ready().exists()
    }

    /// Whether the process `rank` has succeeded.
    pub(super) fn has_ended_well(&self, rank: u32) -> bool {
        layout::good_end(&self.prefix, rank).exists()
    }

    /// Whether all processes have succeeded.
    pub(super) fn have_all_ended_well(&self) -> bool {
        (0..self.tasks).all(|rank| self.has_ended_well(rank))
    }

    /// Removes the marks of a run whose end is noted.
    pub(super) fn remove(&self) {
        // After a failure, or the death of a supervisor, some may not be there.
        // Remove `ready` first: the others mean nothing without it, and this supervisor may be killed here.
        let _ = fs::remove_file(self.ready());
        let _ = fs::remove_file(self.begun());
        for rank in 0..self.tasks {
            let _ = fs::remove_file(layout::good_end(&self.prefix, rank));
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
    names.filter_map(begun).collect()
}

/// Whether the runner's diary or a result proves that this run of a job (not of an element) reached the
/// runner.
pub(super) fn was_entered(job: &LocalJob) -> bool {
    let dir = JobDir::at(&job.request.dir);
    let diary = fs::read_to_string(dir.events()).unwrap_or_default();
    let is_this_run = |event: &Event| {
        matches!(&event.event, EventKind::Started { job_id, restart_count, .. }
            if *job_id == Some(job.id) && *restart_count == job.restarts)
    };
    dir.result().exists() || Event::read_all(&diary).iter().any(is_this_run)
}
