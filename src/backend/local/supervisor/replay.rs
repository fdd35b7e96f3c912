//! Jobs from the journal's entries, and back.

use std::iter;

use slurm_core::state::JobState;

use super::array::{self, End, LocalArray};
use super::job::{LocalJob, Process, Run};
use super::jobs::Jobs;
use super::journal::{Entry, now, stamp, time};
use crate::backend::local::protocol::JobRequest;

/// Applies an entry to what is known so far; one of a job that is not known changes nothing.
pub(super) fn apply(jobs: &mut Jobs, entry: Entry) -> Result<(), String> {
    let id = entry.id();
    match entry {
        Entry::LastId { .. } => {}
        Entry::Submitted { mut request, .. } => {
            request.environment = Vec::new();
            let job = LocalJob::new(id, *request)?;
            jobs.check_free(id..=id)?;
            jobs.insert(job);
        }
        Entry::SubmittedArray { mut request, .. } => {
            request.environment = Vec::new();
            let array = LocalArray::new(id, *request)?;
            jobs.check_free(array.ids())?;
            jobs.insert_array(array);
        }
        Entry::Started { at, restarts, boot, granted, gpus, .. } => {
            let Some(job) = jobs.job_or_element(id) else { return Ok(()) };
            if restarts > job.restarts {
                // The line about the end of the previous run is missing.
                job.wait_again(restarts);
            }
            job.started_at = time(at);
            let run = run_of(job);
            run.granted = granted.unwrap_or(run.granted);
            (run.gpus, run.boot) = (gpus, boot);
        }
        Entry::Spawned { rank, process, .. } => {
            let Some(job) = jobs.job_or_element(id) else { return Ok(()) };
            run_of(job).processes.push(Process::new(rank, process));
        }
        Entry::Warned { at, .. } => {
            let Some(job) = jobs.job_or_element(id) else { return Ok(()) };
            run_of(job).warned_at = time(at);
        }
        Entry::Ending { at, state, .. } => {
            let Some(job) = jobs.job_or_element(id) else { return Ok(()) };
            run_of(job).ending = Some((state, at));
        }
        Entry::Requeued { restarts, .. } => {
            let Some(job) = jobs.job_or_element(id) else { return Ok(()) };
            job.wait_again(restarts);
        }
        Entry::Ended { at, end, .. } => {
            jobs.end(id, end, at);
        }
        Entry::EndedTogether { elements, at, end, .. } => {
            let Some(array) = jobs.array_mut(id) else { return Ok(()) };
            array.end_pending(&array::read(&elements), end, at);
        }
    }
    Ok(())
}

/// Returns what a job holds; one whose start could not be read holds what it asked for, which is better
/// than to start it again.
pub(super) fn run_of(job: &mut LocalJob) -> &mut Run {
    job.state = JobState::Running;
    let granted = job.request.needs;
    job.run.get_or_insert_with(|| Run { granted, ..Run::default() })
}

/// Returns the entries that tell all that matters of jobs and arrays.
pub(super) fn entries(jobs: &Jobs) -> impl Iterator<Item = Entry> {
    // Arrays first: what is told of an element needs its array.
    jobs.arrays().flat_map(of_array).chain(jobs.values().flat_map(of_job))
}

fn of_array(array: &LocalArray) -> Vec<Entry> {
    let (id, at) = (array.id, array.last_end);
    let request = Box::new(JobRequest::clone(&array.request));
    let ended = array.ended.iter().map(|(end, elements)| {
        let (elements, end) = (array::written(elements), end.clone());
        Entry::EndedTogether { id, elements, at, end }
    });
    iter::once(Entry::SubmittedArray { id, request }).chain(ended).collect()
}

fn of_job(job: &LocalJob) -> Vec<Entry> {
    let id = job.id;
    let mut entries = Vec::new();
    if job.element.is_none() {
        let request = Box::new(JobRequest::clone(&job.request));
        entries.push(Entry::Submitted { id, request });
    }
    if job.restarts > 0 {
        entries.push(Entry::Requeued { id, restarts: job.restarts });
    }
    if let Some(run) = &job.run {
        let (granted, gpus, boot) = (Some(run.granted), run.gpus.clone(), run.boot.clone());
        let at = job.started_at.map_or_else(now, stamp);
        entries.push(Entry::Started { id, at, restarts: job.restarts, boot, granted, gpus });
        let spawned = |process: &Process| {
            let (rank, process) = (process.rank, process.identity);
            Entry::Spawned { id, rank, process }
        };
        entries.extend(run.processes.iter().map(spawned));
        entries.extend(run.warned_at.map(|at| Entry::Warned { id, at: stamp(at) }));
        let ending = run.ending.clone();
        entries.extend(ending.map(|(state, at)| Entry::Ending { id, at, state }));
    } else if let Some(started_at) = job.started_at {
        // `after:ID` looks at it.
        let (at, restarts) = (stamp(started_at), job.restarts);
        let (boot, granted, gpus) = (None, None, Vec::new());
        entries.push(Entry::Started { id, at, restarts, boot, granted, gpus });
    }
    if let Some(at) = job.ended_at {
        let (state, reason) = (job.state.clone(), job.reason.clone());
        let end = End { state, reason, exit: job.exit, entered: job.entered };
        entries.push(Entry::Ended { id, at, end });
    }
    entries
}
