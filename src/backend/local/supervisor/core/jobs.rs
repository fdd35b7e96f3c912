//! All jobs that the supervisor knows.

use std::collections::{BTreeMap, BTreeSet};

use slurm_core::ids::JobId;

use super::array::{Array, Elements, End};
use super::dependency::references;
use super::job::Job;
use crate::backend::local::protocol::Status;

/// Arrays, and their elements that run.
///
/// An array and its first element have the same id. Where both are possible, the id means the array.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    arrays: BTreeMap<JobId, Array>,
    running: BTreeMap<JobId, Job>,
    /// The arrays with elements that wait.
    waiting: BTreeSet<JobId>,
}

impl Jobs {
    pub(crate) fn array(&self, id: JobId) -> Option<&Array> {
        self.arrays.get(&id)
    }

    pub(crate) fn arrays(&self) -> impl Iterator<Item = &Array> {
        self.arrays.values()
    }

    /// Returns the running job with this id.
    pub(crate) fn job(&self, id: JobId) -> Option<&Job> {
        self.running.get(&id)
    }

    pub(super) fn job_mut(&mut self, id: JobId) -> Option<&mut Job> {
        self.running.get_mut(&id)
    }

    /// Returns the jobs that run.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Job> {
        self.running.values()
    }

    /// Returns the arrays with elements that wait, in the order of the queue.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Array> {
        self.waiting.iter().filter_map(|id| self.arrays.get(id))
    }

    /// Returns the array that has an element with this id, and its index.
    pub(crate) fn find(&self, id: JobId) -> Option<(&Array, u32)> {
        let (_, array) = self.arrays.range(..=id).next_back()?;
        Some((array, array.index_of(id)?))
    }

    /// Returns the elements of an array that run.
    pub(crate) fn running_of(&self, array: &Array) -> impl Iterator<Item = &Job> {
        self.running.range(array.ids()).map(|(_, job)| job)
    }

    /// Whether all elements of an array have ended.
    pub(crate) fn has_ended(&self, array: &Array) -> bool {
        array.pending.is_empty() && self.running_of(array).next().is_none()
    }

    pub(crate) fn knows(&self, id: JobId) -> bool {
        self.arrays.contains_key(&id)
    }

    /// Whether no array of this name from before `id` is left.
    pub(super) fn is_first_of_name(&self, id: JobId, name: &str) -> bool {
        let running = self.running.range(..id).map(|(_, job)| &job.request);
        let waiting = self.waiting.range(..id).filter_map(|id| self.arrays.get(id));
        let mut requests = running.chain(waiting.map(|array| &array.request));
        requests.all(|request| request.name != name)
    }

    /// Takes in an array.
    ///
    /// # Errors
    /// One of its ids is taken.
    pub(super) fn insert(&mut self, array: Array) -> Result<(), String> {
        let ids = array.ids();
        let is_known = |id: &JobId| self.find(*id).is_some();
        if is_known(ids.start()) || is_known(ids.end()) || self.arrays.range(ids).next().is_some() {
            return Err(format!("the id {} is taken", array.id));
        }
        if !array.pending.is_empty() {
            self.waiting.insert(array.id);
        }
        self.arrays.insert(array.id, array);
        Ok(())
    }

    /// Returns the running job with this id, made of the element that waits if there is none.
    pub(super) fn run(&mut self, id: JobId) -> Option<&mut Job> {
        if !self.running.contains_key(&id) {
            let (array, index) = self.find(id)?;
            let array = array.id;
            let array = self.arrays.get_mut(&array)?;
            let job = array.take(index)?;
            if array.pending.is_empty() {
                self.waiting.remove(&array.id);
            }
            self.running.insert(id, job);
        }
        self.running.get_mut(&id)
    }

    /// Puts an element that has not ended among those that wait, with `restarts` requeues behind it.
    pub(super) fn put_back(&mut self, id: JobId, restarts: u32) {
        let Some((array, index)) = self.find(id) else { return };
        let array = array.id;
        let Some(array) = self.arrays.get_mut(&array) else { return };
        if self.running.remove(&id).is_some() || array.pending.contains(&index) {
            array.put_back(index, restarts);
            self.waiting.insert(array.id);
        }
    }

    pub(super) fn set_reason(&mut self, id: JobId, reason: Option<&str>) {
        // Every array of the queue gets its reason each time that something happens, mostly the one that it has.
        if let Some(array) = self.arrays.get_mut(&id)
            && array.reason.as_deref() != reason
        {
            array.reason = reason.map(str::to_owned);
        }
    }

    /// Notes the end of those elements of the array `id` that have not ended, and returns which they were.
    pub(super) fn end(&mut self, id: JobId, elements: &Elements, end: End, at: u64) -> Elements {
        let Some(array) = self.arrays.get_mut(&id) else { return Elements::new() };
        let mut which = &array.pending & elements;
        let running = self.running.range(array.ids()).map(|(_, job)| (job.id, job.index));
        let running: Vec<_> = running.filter(|(_, index)| elements.contains(index)).collect();
        for (job, index) in running {
            which.insert(index..=index);
            let job = self.running.remove(&job);
            if !array.is_array() {
                array.started_at = job.and_then(|job| job.started_at);
            }
        }
        array.note_end(&which, end, at);
        if array.pending.is_empty() {
            self.waiting.remove(&id);
        }
        which
    }

    /// Returns the state of a job, or the states of all elements of an array.
    pub(crate) fn statuses(&self, id: JobId, host: &str) -> Vec<Status> {
        let Some((array, index)) = self.find(id) else { return Vec::new() };
        if array.id == id && array.is_array() {
            return array.statuses(self.running_of(array), host);
        }
        let idle = || array.status_of(index, host);
        self.running.get(&id).map(|job| job.status(host)).or_else(idle).into_iter().collect()
    }

    /// Forgets arrays that ended before `oldest`, in milliseconds since the Unix epoch, and that no other waits for.
    pub(super) fn forget(&mut self, oldest: u64) {
        let dependencies = self.waiting().filter_map(|array| array.dependency.as_ref());
        let needed: BTreeSet<u32> =
            dependencies.flat_map(references).map(|reference| reference.id).collect();
        let mut arrays = std::mem::take(&mut self.arrays);
        arrays.retain(|_, array| {
            let ids = array.ids();
            let is_needed = || needed.range(ids.start().get()..=ids.end().get()).next().is_some();
            array.last_end >= oldest || !self.has_ended(array) || is_needed()
        });
        self.arrays = arrays;
    }
}
