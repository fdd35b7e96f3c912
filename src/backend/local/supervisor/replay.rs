//! Jobs from the journal's entries, and back.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::identity::Identity;
use super::job::{LocalJob, Process, Run};
use super::journal::{Entry, now, seconds};

/// Applies an entry to what is known so far; one of a job that is not known changes nothing.
pub(super) fn apply(jobs: &mut BTreeMap<JobId, LocalJob>, entry: Entry) -> Result<(), String> {
    let id = entry.id();
    if let Entry::Submitted { mut request, .. } = entry {
        request.environment = Vec::new();
        jobs.insert(id, LocalJob::new(id, *request)?);
        return Ok(());
    }
    let Some(job) = jobs.get_mut(&id) else { return Ok(()) };
    match entry {
        Entry::LastId { .. } | Entry::Submitted { .. } => {}
        Entry::Started { at, granted, gpus, .. } => {
            job.started_at = UNIX_EPOCH.checked_add(Duration::from_secs(at));
            let run = run_of(job);
            run.granted = granted.unwrap_or(run.granted);
            run.gpus = gpus;
        }
        Entry::Spawned { process, .. } => run_of(job).processes.push(Process::new(process)),
        Entry::Ending { at, state, .. } => run_of(job).ending = Some((state, at)),
        Entry::Ended { at, state, reason, exit, .. } => {
            (job.state, job.reason, job.exit) = (state, reason, exit);
            job.ended_at = Some(at);
            job.run = None;
        }
    }
    Ok(())
}

/// Returns what a job holds; one whose start could not be read holds what it asked for, which is better
/// than to start it again.
fn run_of(job: &mut LocalJob) -> &mut Run {
    job.state = JobState::Running;
    let granted = job.request.needs;
    job.run.get_or_insert_with(|| Run { granted, ..Run::default() })
}

/// Returns the entries that tell all that matters of a job.
pub(super) fn entries(job: &LocalJob) -> Vec<Entry> {
    let id = job.id;
    let mut entries = vec![Entry::Submitted { id, request: Box::new(job.request.clone()) }];
    if let Some(run) = &job.run {
        let (granted, gpus) = (Some(run.granted), run.gpus.clone());
        let at = job.started_at.map_or_else(now, seconds);
        entries.push(Entry::Started { id, at, granted, gpus });
        let spawned = |process: Identity| Entry::Spawned { id, process };
        entries.extend(run.processes.iter().map(|process| spawned(process.identity)));
        let ending = run.ending.clone();
        entries.extend(ending.map(|(state, at)| Entry::Ending { id, at, state }));
    } else if let Some(started_at) = job.started_at {
        // `after:ID` looks at it.
        let at = seconds(started_at);
        entries.push(Entry::Started { id, at, granted: None, gpus: Vec::new() });
    }
    if let Some(at) = job.ended_at {
        let (state, reason, exit) = (job.state.clone(), job.reason.clone(), job.exit);
        entries.push(Entry::Ended { id, at, state, reason, exit });
    }
    entries
}
