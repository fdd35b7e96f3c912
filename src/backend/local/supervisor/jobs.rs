//! All that the supervisor knows of.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use slurm_core::ids::JobId;

use super::array::{Elements, End, LocalArray};
use super::dependency::references;
use super::job::LocalJob;
use crate::backend::local::protocol::{JobRequest, Status};

/// Jobs, and arrays with the elements that are jobs now.
///
/// The id of an array is that of its first element too: where a job is meant it is the element, where
/// an array may be meant it is the array.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    jobs: BTreeMap<JobId, LocalJob>,
    arrays: BTreeMap<JobId, LocalArray>,
}

impl Jobs {
    pub(super) fn get(&self, id: JobId) -> Option<&LocalJob> {
        self.jobs.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: JobId) -> Option<&mut LocalJob> {
        self.jobs.get_mut(&id)
    }

    /// Refuses a list of ids if any of them is taken.
    pub(super) fn check_free(&self, ids: RangeInclusive<JobId>) -> Result<(), String> {
        let is_element = self.element(*ids.end()).is_some();
        let array = self.arrays.range(ids.clone()).next().is_some();
        if is_element || array || self.jobs.range(ids.clone()).next().is_some() {
            return Err(format!("the id {} is taken", ids.start()));
        }
        Ok(())
    }

    pub(super) fn insert(&mut self, job: LocalJob) {
        self.jobs.insert(job.id, job);
    }

    pub(super) fn insert_array(&mut self, array: LocalArray) {
        self.arrays.insert(array.id, array);
    }

    /// Takes in what another one knows.
    pub(super) fn append(&mut self, mut other: Self) {
        self.jobs.append(&mut other.jobs);
        self.arrays.append(&mut other.arrays);
    }

    /// Returns how many jobs and arrays there are.
    pub(super) fn count(&self) -> (usize, usize) {
        (self.jobs.len(), self.arrays.len())
    }

    /// Returns all jobs: also the elements that have started and not ended.
    pub(super) fn values(&self) -> impl Iterator<Item = &LocalJob> {
        self.jobs.values()
    }

    pub(super) fn arrays(&self) -> impl Iterator<Item = &LocalArray> {
        self.arrays.values()
    }

    pub(super) fn array(&self, id: JobId) -> Option<&LocalArray> {
        self.arrays.get(&id)
    }

    pub(super) fn array_mut(&mut self, id: JobId) -> Option<&mut LocalArray> {
        self.arrays.get_mut(&id)
    }

    /// Returns the array that has an element with this id, and its index.
    pub(super) fn element(&self, id: JobId) -> Option<(&LocalArray, u32)> {
        let (_, array) = self.arrays.range(..=id).next_back()?;
        Some((array, array.index_of(id)?))
    }

    /// Returns the elements of an array that have started and not ended.
    pub(super) fn live(&self, array: &LocalArray) -> impl Iterator<Item = &LocalJob> {
        self.jobs.range(array.ids()).map(|(_, job)| job)
    }

    /// Whether all elements of an array have ended.
    pub(super) fn has_array_ended(&self, array: &LocalArray) -> bool {
        array.pending.is_empty() && self.live(array).next().is_none()
    }

    /// Returns the job with this id, made of the element that waits if there is none.
    pub(super) fn job_or_element(&mut self, id: JobId) -> Option<&mut LocalJob> {
        if !self.jobs.contains_key(&id) {
            let (array, index) = self.element(id)?;
            let array = array.id;
            let job = self.arrays.get_mut(&array)?.take(index)?;
            self.jobs.insert(id, job);
        }
        self.jobs.get_mut(&id)
    }

    /// Notes the end of a job, and returns its request and whether nothing of it is left to run.
    pub(super) fn end(&mut self, id: JobId, end: End, at: u64) -> Option<(&JobRequest, bool)> {
        let Some(element) = self.job_or_element(id)?.element else {
            let job = self.jobs.get_mut(&id)?;
            (job.state, job.reason, job.exit) = (end.state, end.reason, end.exit);
            (job.entered, job.ended_at, job.run) = (end.entered, Some(at), None);
            return Some((&job.request, true));
        };
        self.jobs.remove(&id);
        let only = Elements::from_iter([element.index..=element.index]);
        self.arrays.get_mut(&element.array)?.note_end(&only, end, at);
        let array = self.arrays.get(&element.array)?;
        Some((&array.request, self.has_array_ended(array)))
    }

    /// Returns what is known of a job, or of all elements of an array.
    pub(super) fn statuses(&self, id: JobId) -> Vec<Status> {
        if let Some(array) = self.arrays.get(&id) {
            return array.statuses(self.live(array));
        }
        let of_element = || self.element(id).and_then(|(array, index)| array.status_of(index));
        self.jobs.get(&id).map(LocalJob::status).or_else(of_element).into_iter().collect()
    }

    pub(super) fn knows(&self, id: JobId) -> bool {
        self.jobs.contains_key(&id) || self.arrays.contains_key(&id)
    }

    /// Forgets jobs that ended before `oldest`, in milliseconds since the Unix epoch, and that no job waits for.
    pub(super) fn forget(&mut self, oldest: u64) {
        let waiting = self.jobs.values().filter(|job| !job.has_ended());
        let waiting = waiting.filter_map(|job| job.dependency.as_ref());
        let arrays = self.arrays.values().filter(|array| !array.pending.is_empty());
        let arrays = arrays.filter_map(|array| array.dependency.as_ref());
        let needed: BTreeSet<u32> =
            waiting.chain(arrays).flat_map(references).map(|reference| reference.id).collect();
        self.jobs.retain(|id, job| {
            job.ended_at.is_none_or(|at| at >= oldest) || needed.contains(&id.get())
        });
        let mut arrays = std::mem::take(&mut self.arrays);
        arrays.retain(|_, array| {
            let ids = array.ids();
            let is_needed = || needed.range(ids.start().get()..=ids.end().get()).next().is_some();
            array.last_end >= oldest || !self.has_array_ended(array) || is_needed()
        });
        self.arrays = arrays;
    }
}
