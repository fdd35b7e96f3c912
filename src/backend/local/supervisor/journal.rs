//! What a supervisor leaves to the next one: a JSON object a line, appended as things happen.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use slurm_core::durable;
use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::job::LocalJob;
use crate::backend::Exit;
use crate::backend::local::protocol::JobRequest;

/// A line of the journal. Times are seconds since the Unix epoch.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Entry {
    Submitted { id: JobId, request: Box<JobRequest> },
    Started { id: JobId, at: u64 },
    Ended { id: JobId, at: u64, state: JobState, reason: Option<String>, exit: Option<Exit> },
}

/// Jobs that ended longer ago are forgotten when a supervisor starts.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// The journal, open at its end.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
}

impl Journal {
    /// Opens the journal at `path`, with the jobs that it tells of and the highest id ever given.
    pub(super) fn open(path: &Path) -> io::Result<(Self, BTreeMap<JobId, LocalJob>, u32)> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            other => other?,
        };
        // A last line that is cut was never acknowledged to anybody.
        let entries = text.lines().filter_map(|line| serde_json::from_str(line).ok());
        let (mut jobs, mut kept, mut last) = (BTreeMap::new(), Vec::new(), 0);
        let oldest = now().saturating_sub(KEPT.as_secs());
        let entries: Vec<Entry> = entries.collect();
        let forgotten: Vec<JobId> = entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Ended { id, at, .. } if *at < oldest => Some(*id),
                _ => None,
            })
            .collect();
        for entry in entries {
            let id = entry.id();
            last = last.max(id.get());
            if !forgotten.contains(&id) {
                kept.push(entry.clone());
                apply(&mut jobs, entry);
            }
        }
        let mut lines = Vec::new();
        for entry in &kept {
            serde_json::to_writer(&mut lines, &entry.without_secrets(&jobs))?;
            lines.push(b'\n');
        }
        durable::replace(path, &lines)?;
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        let file = OpenOptions::new().append(true).mode(0o600).open(path)?;
        Ok((Self { file }, jobs, last))
    }

    /// Appends a line by one write.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.file.write_all(&line)
    }
}

impl Entry {
    fn id(&self) -> JobId {
        match self {
            Self::Submitted { id, .. } | Self::Started { id, .. } | Self::Ended { id, .. } => *id,
        }
    }

    /// The environment is needed until the job starts, and not kept longer.
    fn without_secrets(&self, jobs: &BTreeMap<JobId, LocalJob>) -> Self {
        let mut entry = self.clone();
        if let Self::Submitted { id, request } = &mut entry
            && jobs.get(id).is_some_and(LocalJob::has_ended)
        {
            request.environment.clear();
        }
        entry
    }
}

fn apply(jobs: &mut BTreeMap<JobId, LocalJob>, entry: Entry) {
    match entry {
        Entry::Submitted { id, request } => {
            jobs.insert(id, LocalJob::new(id, *request));
        }
        Entry::Started { id, at } => {
            if let Some(job) = jobs.get_mut(&id) {
                job.state = JobState::Running;
                job.started_at = Some(UNIX_EPOCH + Duration::from_secs(at));
            }
        }
        Entry::Ended { id, state, reason, exit, .. } => {
            if let Some(job) = jobs.get_mut(&id) {
                (job.state, job.reason, job.exit) = (state, reason, exit);
            }
        }
    }
}

/// Returns seconds since the Unix epoch.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
