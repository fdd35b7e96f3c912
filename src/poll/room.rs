//! Jobs that can never run beside the workflow that waits for them.
//!
//! The poller calls this module after every survey, whichever kind of wait a workflow uses.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::state::JobState;

use crate::backend::{Asked, Backend, NO_ROOM, Sighting, Source, Survey};

/// The waiting workflow, and the jobs that were given up.
#[derive(Debug)]
pub(super) struct Room {
    /// Its job and the jobs of the workflows around it; empty outside of jobs.
    workflows: Vec<JobId>,
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    /// The time of the next look at each pending job.
    due: HashMap<JobId, Instant>,
    last: Option<Instant>,
    /// The jobs that were given up, and why.
    given_up: HashMap<JobId, String>,
}

/// The time from the start of a wait to the first look at a job, and from one look to the next.
const FIRST: Duration = Duration::from_secs(10);
const NEXT: Duration = Duration::from_secs(300);
/// The least time between two looks, at the same or at different jobs.
const BETWEEN: Duration = Duration::from_secs(5);
/// The number of jobs in one look, so that the command line stays short.
const AT_ONCE: usize = 500;

impl Room {
    pub(super) fn beside(workflows: Vec<JobId>) -> Self {
        Self { workflows, notes: Mutex::default() }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks if it is time, and cancels jobs that can only run once the workflow has ended.
    pub(super) fn look(&self, backend: &dyn Backend, asked: &[Asked], survey: &Survey) {
        if self.workflows.is_empty() {
            return;
        }
        let due = self.due(asked, survey);
        if due.is_empty() {
            return;
        }
        let found = backend.no_room_beside(&due, &self.workflows).unwrap_or_else(|error| {
            log::warn!("cannot tell whether there is room for all jobs: {error}");
            Vec::new()
        });
        for (job, reason) in found {
            // The note lets later processes know the end too.
            let dir = backend.dir_of(job).ok().flatten().map(JobDir::at);
            match backend.cancel(job, None, dir.as_ref()) {
                Ok(_) => drop(self.notes().given_up.insert(job, reason)),
                Err(error) => {
                    log::warn!("will try again to cancel job {job}, which has no room: {error}");
                    self.notes().due.insert(job, Instant::now() + FIRST);
                }
            }
        }
    }

    /// Returns the jobs that are due for a look.
    fn due(&self, asked: &[Asked], survey: &Survey) -> Vec<JobId> {
        let mut notes = self.notes();
        let waiting: HashSet<JobId> = waiting(asked, survey)
            .into_iter()
            .filter(|job| !notes.given_up.contains_key(job))
            .collect();
        let now = Instant::now();
        notes.due.retain(|job, _| waiting.contains(job));
        for job in &waiting {
            notes.due.entry(*job).or_insert(now + FIRST);
        }
        let too_soon = notes.last.is_some_and(|last| last.elapsed() < BETWEEN);
        if too_soon || runs(asked, survey) {
            return Vec::new();
        }
        let due = notes.due.iter_mut().filter(|(_, due)| **due <= now).take(AT_ONCE);
        let due: Vec<JobId> = due
            .map(|(job, due)| {
                *due = now + NEXT;
                *job
            })
            .collect();
        if !due.is_empty() {
            notes.last = Some(now);
        }
        due
    }

    /// Adds the reason to `survey` for jobs that were given up.
    pub(super) fn explain(&self, asked: &[Asked], survey: &mut Survey) {
        let notes = self.notes();
        for Asked { job, elements } in asked {
            let Some(reason) = notes.given_up.get(job) else { continue };
            let reason = Some(format!("{NO_ROOM}: {reason}"));
            let state = JobState::Cancelled;
            let sighting = Sighting { source: Source::Note, reason, ..Sighting::of(state) };
            match elements {
                None => drop(survey.seen.insert(*job, sighting)),
                Some(elements) => {
                    let of_array = survey.elements.entry(*job).or_default();
                    of_array.push((elements.clone(), sighting));
                }
            }
        }
    }
}

/// Returns whether one of the jobs runs. A workflow that waits for several may continue without the others.
fn runs(asked: &[Asked], survey: &Survey) -> bool {
    let mut seen = asked.iter().flat_map(|asked| survey.all_of(asked.job));
    seen.any(|seen| !seen.state.is_pending() && !seen.state.is_terminal())
}

/// Returns the pending jobs, and the arrays with a pending element.
fn waiting(asked: &[Asked], survey: &Survey) -> Vec<JobId> {
    let waits = |asked: &&Asked| survey.all_of(asked.job).any(|seen| seen.state.is_pending());
    asked.iter().filter(waits).map(|asked| asked.job).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: u32) -> JobId {
        JobId::new(id).unwrap()
    }

    fn seen(state: JobState) -> Sighting {
        Sighting::of(state)
    }

    #[test]
    fn no_look_happens_while_one_of_the_jobs_runs() {
        let asked = [
            Asked::job(job(1)),
            Asked { job: job(2), elements: Some(vec![(0, 3)]) },
            Asked::job(job(3)),
        ];
        let mut survey = Survey::default();
        survey.seen.insert(job(1), seen(JobState::Pending));
        let ended = (vec![(0, 0)], seen(JobState::Completed));
        let pending = (vec![(1, 3)], seen(JobState::Pending));
        survey.elements.insert(job(2), vec![ended, pending]);
        assert_eq!(
            (waiting(&asked, &survey), runs(&asked, &survey)),
            (vec![job(1), job(2)], false)
        );
        survey.seen.insert(job(3), seen(JobState::Running));
        assert!(runs(&asked, &survey));
    }

    #[test]
    fn a_pending_job_is_looked_at_after_a_while_and_then_rarely() {
        let room = Room::beside(vec![job(9)]);
        let asked = [Asked::job(job(1))];
        let mut survey = Survey::default();
        survey.seen.insert(job(1), seen(JobState::Pending));
        assert!(room.due(&asked, &survey).is_empty(), "it may start soon");
        room.notes().due.insert(job(1), Instant::now());
        assert_eq!(room.due(&asked, &survey), [job(1)]);
        assert!(room.due(&asked, &survey).is_empty());
        assert!(room.notes().due[&job(1)] > Instant::now() + FIRST);
    }

    #[test]
    fn a_job_that_was_given_up_has_a_reason() {
        let room = Room::beside(vec![job(9)]);
        room.notes().given_up.insert(job(1), "it is too large".to_owned());
        let mut survey = Survey::default();
        survey.seen.insert(job(1), seen(JobState::Cancelled));
        room.explain(&[Asked::job(job(1))], &mut survey);
        assert_eq!(survey.seen[&job(1)].reason.as_deref(), Some("no room: it is too large"));
    }
}
