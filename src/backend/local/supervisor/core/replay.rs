//! What the entries of the journal change, and which entries tell all that is known.

use super::array::{self, Array, Elements};
use super::entry::Entry;
use super::job::{Job, Process};
use super::jobs::Jobs;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::JobRequest;

/// Applies an entry. One about a job that is not known, or has ended, changes nothing.
///
/// # Errors
/// A submission cannot be read, or contradicts another one.
pub(super) fn apply(jobs: &mut Jobs, entry: Entry) -> Result<(), String> {
    let id = entry.id();
    match entry {
        Entry::LastId { .. } => {}
        Entry::Submitted { mut request, .. } => {
            request.environment = Vec::new();
            jobs.insert(Array::new(id, *request)?)?;
        }
        Entry::Started { at, restarts, boot, granted, gpus, .. } => {
            if jobs.job(id).is_some_and(|job| restarts > job.restarts) {
                // The line about the end of the previous run is missing.
                jobs.put_back(id, restarts);
            }
            let Some(job) = jobs.run(id) else { return Ok(()) };
            job.restarts = job.restarts.max(restarts);
            job.started_at = Some(at);
            (job.granted, job.gpus, job.boot) = (granted, gpus, boot);
        }
        Entry::Spawned { rank, process, .. } => {
            let Some(job) = jobs.run(id) else { return Ok(()) };
            job.processes.push(Process::new(rank, process));
        }
        Entry::Warned { at, .. } => {
            let Some(job) = jobs.run(id) else { return Ok(()) };
            job.warned_at = Some(at);
        }
        Entry::Ending { at, state, .. } => {
            let Some(job) = jobs.run(id) else { return Ok(()) };
            job.ending = Some((state, at));
        }
        Entry::Requeued { restarts, .. } => jobs.put_back(id, restarts),
        Entry::Ended { at, end, .. } => {
            let Some((array, index)) = jobs.find(id) else { return Ok(()) };
            jobs.end(array.id, &Elements::from_iter([index..=index]), end, at);
        }
        Entry::EndedTogether { elements, at, end, .. } => {
            jobs.end(id, &array::read(&elements), end, at);
        }
    }
    Ok(())
}

/// Returns the entries that tell all that is known of the jobs.
pub(super) fn entries(jobs: &Jobs) -> impl Iterator<Item = Entry> {
    // Arrays first: an entry about an element needs its array.
    jobs.arrays().flat_map(of_array).chain(jobs.running().flat_map(of_job))
}

fn of_array(array: &Array) -> Vec<Entry> {
    let (id, at) = (array.id, array.last_end);
    let mut entries = vec![Entry::submitted(id, JobRequest::clone(&array.request))];
    if let Some(at) = array.started_at {
        // For people who ask when it ran.
        let (boot, granted, gpus) = (None, Capacity::default(), Vec::new());
        entries.push(Entry::Started { id, at, restarts: 0, boot, granted, gpus });
    }
    entries.extend(array.requeued.iter().filter_map(|(index, restarts)| {
        Some(Entry::Requeued { id: array.id_of(*index)?, restarts: *restarts })
    }));
    entries.extend(array.ended.iter().map(|(end, elements)| {
        let (elements, end) = (array::written(elements), end.clone());
        Entry::EndedTogether { id, elements, at, end }
    }));
    entries
}

fn of_job(job: &Job) -> Vec<Entry> {
    let (id, restarts) = (job.id, job.restarts);
    let mut entries = Vec::new();
    if restarts > 0 {
        entries.push(Entry::Requeued { id, restarts });
    }
    // If its start is not known, the other entries tell that it runs.
    entries.extend(job.started_at.map(|at| {
        let (granted, gpus, boot) = (job.granted, job.gpus.clone(), job.boot.clone());
        Entry::Started { id, at, restarts, boot, granted, gpus }
    }));
    let spawned = |process: &Process| {
        let (rank, process) = (process.rank, process.identity);
        Entry::Spawned { id, rank, process }
    };
    entries.extend(job.processes.iter().map(spawned));
    entries.extend(job.warned_at.map(|at| Entry::Warned { id, at }));
    let ending = job.ending.clone();
    entries.extend(ending.map(|(state, at)| Entry::Ending { id, at, state }));
    entries
}
