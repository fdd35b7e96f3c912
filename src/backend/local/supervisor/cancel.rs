//! Ending jobs and elements before they end by themselves.

use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::array::{self, Elements, End};
use super::journal::{self, Entry};
use super::log;
use super::scheduler::Scheduler;
use crate::backend::Indices;
use crate::backend::local::protocol::Reply;

impl Scheduler {
    /// Cancels a job, an array, or some elements of one.
    pub(super) fn cancel(&mut self, id: JobId, elements: Option<&Indices>) -> Reply {
        match (self.jobs.array(id), elements) {
            (Some(array), None) => {
                let all = Elements::from_iter([array.indices()]);
                self.cancel_elements(id, &all);
            }
            (Some(_), Some(elements)) => self.cancel_elements(id, &array::read(elements)),
            (None, Some(_)) if self.jobs.get(id).is_some() => {
                return Reply::Refused(format!("job {id} is not an array"));
            }
            (None, None) if self.jobs.get(id).is_some() => self.cancel_job(id),
            (None, None) => match self.jobs.element(id).map(|(array, index)| (array.id, index)) {
                Some((array, index)) => {
                    self.cancel_elements(array, &Elements::from_iter([index..=index]));
                }
                None => return Reply::NoSuchJob,
            },
            (None, Some(_)) => return Reply::NoSuchJob,
        }
        Reply::Done
    }

    fn cancel_job(&mut self, id: JobId) {
        match self.jobs.get(id) {
            Some(job) if job.run.is_some() => self.stop(id, JobState::Cancelled),
            Some(job) if !job.has_ended() => self.end(id, JobState::Cancelled, None, None),
            _ => {}
        }
    }

    fn cancel_elements(&mut self, id: JobId, elements: &Elements) {
        let Some(array) = self.jobs.array(id) else { return };
        let live = self
            .jobs
            .live(array)
            .filter(|job| job.element.is_some_and(|element| elements.contains(&element.index)));
        let live: Vec<JobId> = live.map(|job| job.id).collect();
        self.end_pending(id, elements, JobState::Cancelled, None);
        live.into_iter().for_each(|id| self.cancel_job(id));
    }

    /// Ends those of `elements` of the array `id` that have not started.
    pub(super) fn end_pending(
        &mut self,
        id: JobId,
        elements: &Elements,
        state: JobState,
        reason: Option<&str>,
    ) {
        let at = journal::now();
        let Some(array) = self.jobs.array_mut(id) else { return };
        let end = End::without_run(state, reason.map(str::to_owned));
        let ended = array.end_pending(elements, end.clone(), at);
        if ended.is_empty() {
            return;
        }
        let elements = array::written(&ended);
        let entry = Entry::EndedTogether { id, elements, at, end };
        if let Err(error) = self.journal.append(&entry) {
            log(&format!("cannot note that elements of array {id} are cancelled: {error}"));
        }
        let Some(array) = self.jobs.array(id) else { return };
        if self.jobs.has_array_ended(array) {
            self.environments.forget(&array.request.key());
        }
    }
}
