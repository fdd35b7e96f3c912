//! How a job ended.

use std::path::{Path, PathBuf};

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Outcome};
use slurm_core::requeue::RequeueNote;
use slurm_core::segment::{HEADER, RecordKind, Records};
use slurm_core::spec::{Spec, Work};
use slurm_core::state::JobState;

use super::job::LocalJob;
use super::log;
use super::marks::Marks;
use super::scheduler::Scheduler;
use crate::backend::Exit;

/// How a job ends of which a process ended by itself, with 0: as the batch script ends on Slurm.
const ENDED_BY_ITSELF: Exit = Exit { code: slurm_runner::exit::EXITED as i32, signal: 0 };

/// Returns how one of several processes ended: with 0 only if its runner says that it has done its part.
pub(super) fn end_of_part(exit: Exit) -> Exit {
    const PART_DONE: Exit = Exit { code: slurm_runner::exit::PART_DONE as i32, signal: 0 };
    match exit {
        PART_DONE => Exit::default(),
        exit if exit == Exit::default() => ENDED_BY_ITSELF,
        exit => exit,
    }
}

impl Scheduler {
    /// Ends a job whose processes have all ended.
    pub(super) fn conclude(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        let Some(run) = &job.run else { return };
        if asks_for_another_run(job) {
            self.requeue(id);
            return;
        }
        let mut exits = run.processes.iter().map(|process| process.exit);
        let all_known = exits.clone().all(|exit| exit.is_some());
        let bad = exits.find_map(|exit| exit.filter(|exit| *exit != Exit::default()));
        let bad = run.first_failure.or(bad);
        let bad = bad.or_else(|| (all_known && has_left_failure(job)).then_some(ENDED_BY_ITSELF));
        if !all_known && run.ending.is_none() && Marks::of(job).found().never_began() {
            self.put_back(id);
            return;
        }
        let natural = match (all_known, bad) {
            (_, Some(_)) => JobState::Failed,
            (true, None) => JobState::Completed,
            // The exit code of an adopted process is unknown, so its files decide.
            (false, None) => state_by_files(job).unwrap_or(JobState::Failed),
        };
        // One that was told to end but had just finished by itself has finished.
        let state = match &run.ending {
            Some((ending, _)) if natural != JobState::Completed => ending.clone(),
            _ => natural,
        };
        if state == JobState::Completed {
            publish_value(job);
        }
        let exit = bad.or(all_known.then(Exit::default));
        self.end(id, state, None, exit);
    }
}

/// Returns whether the run of a job that has ended left the wish to be run again, and may have it.
pub(super) fn asks_for_another_run(job: &LocalJob) -> bool {
    let dir = JobDir::at(&job.request.dir);
    let note = dir.requeue_of(job.element.map(|element| (element.array, element.index)));
    let told = job.run.as_ref().and_then(|run| run.ending.as_ref()).map(|(state, _)| state);
    // The segment of an element of one process may have items that are finished, and others that are not.
    let has_outcome =
        (job.element.is_none() || job.request.tasks > 1) && outcome_files(job).0.exists();
    told != Some(&JobState::Cancelled)
        && RequeueNote::read(&note, job.restarts).is_some()
        && !has_outcome
}

/// Returns the end state of a job whose exit codes were lost.
pub(super) fn state_by_files(job: &LocalJob) -> Option<JobState> {
    let (result, value) = outcome_files(job);
    let Ok(bytes) = std::fs::read(result) else {
        // With several processes, the value proves only that the first one succeeded.
        let marks = Marks::of(job).found();
        let ended_well = |rank| marks.exit_of(rank) == Some(Exit::default());
        let succeeded =
            job.request.tasks > 1 && has_content(&value) && (0..job.request.tasks).all(ended_well);
        return succeeded.then_some(JobState::Completed);
    };
    if let Some(number) = job.number() {
        return state_by_segment(&JobDir::at(&job.request.dir), number, &bytes);
    }
    let (outcome, _) = Outcome::from_bytes(&bytes).ok()?;
    Some(match outcome.ending {
        Ending::Value(_) => JobState::Completed,
        Ending::Failure(_) => JobState::Failed,
    })
}

/// Returns how the element `number` ended that left this segment: well if all of its items have values.
fn state_by_segment(dir: &JobDir, number: u64, segment: &[u8]) -> Option<JobState> {
    let kinds: Vec<_> = Records::new(segment, HEADER).map(|record| record.kind).collect();
    if kinds.contains(&RecordKind::Failure) {
        return Some(JobState::Failed);
    }
    let spec = std::fs::read(dir.spec()).ok()?;
    let (spec, _) = Spec::from_bytes(&spec).ok()?;
    let Work::Items(items) = spec.work else { return None };
    let made = kinds.iter().filter(|kind| **kind == RecordKind::Value).count();
    (made >= items.shares.of_element(number).len()).then_some(JobState::Completed)
}

/// Whether one of several processes has left a failure, although all of them ended with 0: that one ended before the
/// task had returned.
fn has_left_failure(job: &LocalJob) -> bool {
    job.request.tasks > 1 && outcome_files(job).0.exists()
}

/// Makes the value of the first of several processes the job's result: all have ended well.
pub(super) fn publish_value(job: &LocalJob) {
    let (result, value) = outcome_files(job);
    // Without a value the first process has written none, which the client tells by itself.
    if job.request.tasks > 1
        && has_content(&value)
        && let Err(error) = std::fs::rename(value, result)
    {
        log(&format!("the value of job {} cannot become its result: {error}", job.id));
    }
}

/// Removes what the run before left of a job of several processes, before any process of the next one can leave
/// something.
pub(super) fn clear_outcome(job: &LocalJob) {
    if job.request.tasks > 1 {
        let dir = JobDir::at(&job.request.dir);
        let before = job.restarts.saturating_sub(1);
        // Mostly there is none.
        let _ = std::fs::remove_file(outcome_files(job).0);
        let _ = match job.number() {
            // The name alone proves that the run before reached the task.
            Some(number) => {
                let value = dir.value_segment(number, before);
                std::fs::File::options().write(true).truncate(true).open(value).map(drop)
            }
            None => std::fs::remove_file(dir.value(before)),
        };
    }
}

/// Returns whether there is a value. Where one will be, there is an empty file before.
fn has_content(value: &Path) -> bool {
    value.metadata().is_ok_and(|metadata| metadata.len() > 0)
}

/// Returns where a job leaves its result, and where the first of several processes leaves its value.
fn outcome_files(job: &LocalJob) -> (PathBuf, PathBuf) {
    let dir = JobDir::at(&job.request.dir);
    match job.number() {
        Some(number) => (dir.segment(number), dir.value_segment(number, job.restarts)),
        None => (dir.result(), dir.value(job.restarts)),
    }
}
