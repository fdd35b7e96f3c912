//! Looking for what the supervisor before this one has left of jobs: marks and processes.

use std::collections::BTreeSet;
use std::time::UNIX_EPOCH;

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;

use super::core::{Array, Identity, Job, Jobs, Process, RunFiles, SeenRun, Trace};
use super::identity::Processes;
use super::marks::{self, Marks};

/// Looks for traces of all jobs that have not ended, also of those that the journal says have not begun: lines of it may
/// be missing.
pub(super) fn of_all(jobs: &Jobs) -> Vec<Trace> {
    let open: Vec<&Array> = jobs.arrays().filter(|array| !jobs.has_ended(array)).collect();
    if open.is_empty() {
        return Vec::new();
    }
    let processes = Processes::now();
    open.into_iter().flat_map(|array| of_array(array, jobs, &processes)).collect()
}

fn of_array(array: &Array, jobs: &Jobs, processes: &Processes) -> Vec<Trace> {
    let noted = marks::runs_in(&JobDir::at(&array.request.dir));
    let is_open = |id: &JobId| {
        let index = array.index_of(*id);
        jobs.job(*id).is_some() || index.is_some_and(|index| array.pending.contains(&index))
    };
    let mut candidates: BTreeSet<JobId> = noted.iter().map(|(id, _)| *id).filter(is_open).collect();
    candidates.extend(jobs.running_of(array).map(|job| job.id));
    if !array.is_array() {
        candidates.insert(array.id);
    }
    let trace = |id: JobId| {
        let noted = noted.iter().filter(|(of, _)| *of == id).map(|(_, restarts)| *restarts);
        let noted: Vec<u32> = noted.collect();
        Some(of_job(id, array, array.index_of(id)?, jobs.job(id), &noted, processes))
    };
    candidates.into_iter().filter_map(trace).collect()
}

/// Finds the latest run of a job and its processes, also those that the journal does not name. `noted` are its runs that
/// have left marks.
fn of_job(
    id: JobId,
    array: &Array,
    index: u32,
    job: Option<&Job>,
    noted: &[u32],
    processes: &Processes,
) -> Trace {
    let known = job.map_or_else(|| array.restarts_of(index), |job| job.restarts);
    let dir = JobDir::at(&array.request.dir);
    let running = processes.latest_run(&dir.all_run_marks(), id);
    let restarts = noted.iter().copied().chain(running).fold(known, u32::max);
    let earlier = noted.iter().copied().filter(|before| *before < restarts).collect();
    let files = RunFiles::of(array, id, index, restarts);
    // The processes in the journal may belong to an earlier run.
    let job = job.filter(|job| job.restarts == restarts);
    let run = run_of(&files, job, processes);
    Trace { job: id, restarts, earlier, run }
}

fn run_of(files: &RunFiles, job: Option<&Job>, processes: &Processes) -> Option<SeenRun> {
    let marks = Marks::of(files);
    let found: Vec<(u32, Identity)> = processes.of(&marks.prefix).collect();
    let has_begun = || marks.are_there() || files.element.is_none() && marks::was_entered(files);
    if job.is_none() && found.is_empty() && !has_begun() {
        return None;
    }
    let gpus = found.first().and_then(|(_, process)| process.variable("SLURM_JOB_GPUS"));
    let mut processes: Vec<Process> = job.map(|job| job.processes.clone()).unwrap_or_default();
    for (rank, found) in found {
        if processes.iter().all(|process| process.identity != found) {
            processes.push(Process::new(rank, found));
        }
    }
    for process in &mut processes {
        process.ended = !process.identity.is_alive();
    }
    // The marks are complete for processes that have ended by now.
    let found = marks.found();
    for process in processes.iter_mut().filter(|process| process.ended) {
        process.exit = found.exit_of(process.rank);
    }
    let began_at = marks.began_at().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let began_at = began_at.and_then(|since| u64::try_from(since.as_millis()).ok());
    Some(SeenRun { began_at, gpus, processes, found })
}
