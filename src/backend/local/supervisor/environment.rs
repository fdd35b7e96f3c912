//! The variables that a job finds.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, DirEntry, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;

use super::core::{Array, Job};
use super::line;
use crate::backend::local::gpus::VISIBLE;
use crate::backend::local::protocol::{JobRequest, SubmissionKey, Variable, host};

/// Returns the variables that Slurm would set for the process `rank` of a job.
pub(super) fn slurm_variables(array: &Array, job: &Job, rank: u32) -> Vec<(&'static str, String)> {
    let request = &job.request;
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let granted = job.granted;
    let gpus = job.gpus.iter().map(|gpu| gpu.name.as_str()).collect::<Vec<_>>().join(",");
    let mut variables = vec![
        ("SLURM_JOB_ID", job.id.to_string()),
        ("SLURM_JOBID", job.id.to_string()),
        ("SLURM_JOB_NAME", request.name.clone()),
        ("SLURM_CLUSTER_NAME", "local".to_owned()),
        ("SLURM_JOB_PARTITION", "local".to_owned()),
        ("SLURM_JOB_NODELIST", host()),
        ("SLURM_NODELIST", host()),
        ("SLURMD_NODENAME", host()),
        ("SLURM_JOB_NUM_NODES", "1".to_owned()),
        ("SLURM_NNODES", "1".to_owned()),
        ("SLURM_NODEID", "0".to_owned()),
        ("SLURM_NTASKS", request.tasks.to_string()),
        ("SLURM_NPROCS", request.tasks.to_string()),
        ("SLURM_TASKS_PER_NODE", request.tasks.to_string()),
        ("SLURM_PROCID", rank.to_string()),
        ("SLURM_LOCALID", rank.to_string()),
        ("SLURM_CPUS_ON_NODE", granted.cpus.to_string()),
        ("SLURM_CPUS_PER_TASK", request.cpus_per_task.min(granted.cpus).to_string()),
        ("SLURM_MEM_PER_NODE", granted.memory_mib.to_string()),
        ("SLURM_SUBMIT_DIR", request.working_dir.display().to_string()),
        ("SLURM_JOB_START_TIME", start.to_string()),
    ];
    if job.restarts > 0 {
        variables.push(("SLURM_RESTART_COUNT", job.restarts.to_string()));
    }
    if let Some(limit) = request.time_limit {
        variables.push(("SLURM_JOB_END_TIME", start.saturating_add(limit).to_string()));
    }
    if array.is_array() {
        variables.extend([
            ("SLURM_ARRAY_JOB_ID", array.id.to_string()),
            ("SLURM_ARRAY_TASK_ID", job.index.to_string()),
            ("SLURM_ARRAY_TASK_COUNT", array.size.to_string()),
            ("SLURM_ARRAY_TASK_MIN", "0".to_owned()),
            ("SLURM_ARRAY_TASK_MAX", array.size.saturating_sub(1).to_string()),
            ("SLURM_ARRAY_TASK_STEP", "1".to_owned()),
        ]);
    }
    if !gpus.is_empty() {
        variables.push(("SLURM_JOB_GPUS", gpus.clone()));
        variables.push((VISIBLE, gpus));
    }
    variables
}

/// Files with the submissions and the environments of their submitters, which only this user can read. Each is kept
/// until its jobs have ended, because they may have to be started again and the journal may have lost lines.
///
/// They are named by submission and not by job, so that a supervisor whose directory was removed does
/// not take the files of the one that followed it there.
#[derive(Debug)]
pub(super) struct Environments {
    dir: PathBuf,
    /// The one that was read last: the elements of an array all have the same.
    last: Option<(SubmissionKey, Variables)>,
}

type Variables = Arc<Vec<Variable>>;

/// The content of such a file.
#[derive(Debug, Serialize, Deserialize)]
struct Kept<R> {
    id: JobId,
    /// With its environment.
    request: R,
}

fn read_kept(bytes: &[u8]) -> Option<Kept<JobRequest>> {
    line::read(bytes.strip_suffix(b"\n")?)
}

impl Environments {
    /// Opens the directory, and removes all but the environments of `unfinished` submissions.
    pub(super) fn open(dir: PathBuf, unfinished: &BTreeSet<SubmissionKey>) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let names: BTreeSet<String> = unfinished.iter().map(SubmissionKey::file_name).collect();
        for entry in fs::read_dir(&dir)?.flatten() {
            if entry.file_name().to_str().is_none_or(|name| !names.contains(name)) {
                // One that stays is looked at again by the next supervisor.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(Self { dir, last: None })
    }

    /// Returns the submissions in `dir` that are not among the `known` ones.
    pub(super) fn others(dir: &Path, known: &BTreeSet<String>) -> Vec<(JobId, JobRequest)> {
        let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
        let is_other = |name: &OsString| name.to_str().is_some_and(|name| !known.contains(name));
        let others = entries.flatten().filter(|entry| is_other(&entry.file_name()));
        // A half-written submission was never acknowledged.
        let read = |entry: DirEntry| {
            let kept: Kept<JobRequest> = read_kept(&fs::read(entry.path()).ok()?)?;
            Some((kept.id, kept.request))
        };
        others.filter_map(read).collect()
    }

    pub(super) fn keep(&mut self, id: JobId, request: &JobRequest) -> io::Result<()> {
        let (key, bytes) = (&request.key(), line::write(&Kept { id, request })?);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let kept = options.open(self.file(key)).and_then(|mut file| file.write_all(&bytes));
        if kept.is_err() {
            self.forget(key);
        }
        kept
    }

    pub(super) fn read(&mut self, key: &SubmissionKey) -> io::Result<Variables> {
        if let Some((_, variables)) = self.last.as_ref().filter(|(last, _)| last == key) {
            return Ok(Arc::clone(variables));
        }
        let path = self.file(key);
        let context =
            |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        let bytes = fs::read(&path).map_err(context)?;
        let damaged = || context(io::Error::new(io::ErrorKind::InvalidData, "it is damaged"));
        let kept = read_kept(&bytes).ok_or_else(damaged)?;
        let variables = Arc::new(kept.request.environment);
        self.last = Some((key.clone(), Arc::clone(&variables)));
        Ok(variables)
    }

    pub(super) fn forget(&mut self, key: &SubmissionKey) {
        self.last.take_if(|(last, _)| last == key);
        // It may be gone already.
        let _ = fs::remove_file(self.file(key));
    }

    fn file(&self, key: &SubmissionKey) -> PathBuf {
        self.dir.join(key.file_name())
    }
}
