//! A job array in the supervisor's hands; a job is an array of one element.
//!
//! It is one entry, however many elements it has: elements that wait and elements that have ended are ranges of indices.
//! An element is a [`Job`] of its own while it runs.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use rangemap::RangeInclusiveSet;
use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;
use slurm_core::options::Dependency;
use slurm_core::state::JobState;

use super::dependency;
use super::job::{Job, Parent};
use crate::backend::local::protocol::{JobRequest, Status};
use crate::backend::{Exit, Indices};

/// Some elements of an array.
pub(crate) type Elements = RangeInclusiveSet<u32>;

/// An array.
#[derive(Debug)]
pub(crate) struct Array {
    /// The id of its first element, too. The ids of the others follow.
    pub(crate) id: JobId,
    pub(crate) size: u32,
    pub(crate) max_running: Option<u32>,
    /// Without the environment.
    pub(crate) request: Arc<JobRequest>,
    pub(crate) dependency: Option<Dependency>,
    pub(crate) within: Option<Parent>,
    /// Elements that wait.
    pub(crate) pending: Elements,
    /// Those among them that have run before, and how often they were requeued. Their dependencies were met.
    pub(crate) requeued: BTreeMap<u32, u32>,
    /// Why elements wait.
    pub(crate) reason: Option<String>,
    /// Elements that have ended, by how they did.
    pub(crate) ended: Vec<(End, Elements)>,
    /// When the last element ended, in milliseconds since the Unix epoch.
    pub(crate) last_end: u64,
    /// When the job started that has ended, if this is not an array for its submitter.
    pub(crate) started_at: Option<u64>,
}

/// How a job ended, or what it is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct End {
    pub(crate) state: JobState,
    pub(crate) reason: Option<String>,
    pub(crate) exit: Option<Exit>,
    /// Whether the task was called in the last run.
    pub(crate) entered: bool,
}

impl Array {
    /// Returns an array whose elements all wait.
    ///
    /// # Errors
    /// It has no elements, its dependencies cannot be read, or there are not enough ids for it.
    pub(crate) fn new(id: JobId, request: JobRequest) -> Result<Self, String> {
        let size = request.array.map_or(1, |array| array.size);
        let last = size.checked_sub(1).ok_or("an array without elements")?;
        id.get().checked_add(last).ok_or("all job ids are used up")?;
        Ok(Self {
            id,
            size,
            max_running: request.array.and_then(|array| array.max_running),
            dependency: dependency::read(id, &request)?,
            within: Parent::of(id, &request)?,
            request: Arc::new(request),
            pending: Elements::from_iter([0..=last]),
            requeued: BTreeMap::new(),
            reason: None,
            ended: Vec::new(),
            last_end: 0,
            started_at: None,
        })
    }

    /// Whether its submitter asked for an array; its elements are numbered then.
    pub(crate) fn is_array(&self) -> bool {
        self.request.array.is_some()
    }

    /// Returns the indices of all elements.
    pub(crate) fn indices(&self) -> RangeInclusive<u32> {
        0..=self.size.saturating_sub(1)
    }

    /// Returns the id of an element.
    pub(crate) fn id_of(&self, index: u32) -> Option<JobId> {
        let is_element = self.indices().contains(&index);
        is_element.then(|| self.id.get().checked_add(index))?.and_then(JobId::new)
    }

    /// Returns which element has this id.
    pub(crate) fn index_of(&self, id: JobId) -> Option<u32> {
        id.get().checked_sub(self.id.get()).filter(|index| self.indices().contains(index))
    }

    /// Returns the ids of all elements.
    pub(crate) fn ids(&self) -> RangeInclusive<JobId> {
        self.id..=self.id_of(self.size.saturating_sub(1)).unwrap_or(self.id)
    }

    /// Returns how often an element that waits was requeued.
    pub(crate) fn restarts_of(&self, index: u32) -> u32 {
        self.requeued.get(&index).copied().unwrap_or(0)
    }

    /// Makes a job of an element that waits. It holds what it asked for until its start tells more: that is better than
    /// to start it again.
    pub(super) fn take(&mut self, index: u32) -> Option<Job> {
        let id = self.id_of(index).filter(|_| self.pending.contains(&index))?;
        self.pending.remove(index..=index);
        let restarts = self.requeued.remove(&index).unwrap_or(0);
        Some(Job::new(id, self, index, restarts))
    }

    /// Puts an element back among those that wait.
    pub(super) fn put_back(&mut self, index: u32, restarts: u32) {
        self.pending.insert(index..=index);
        self.requeued.insert(index, restarts);
    }

    /// Notes how elements ended.
    pub(super) fn note_end(&mut self, elements: &Elements, end: End, at: u64) {
        if elements.is_empty() {
            return;
        }
        for range in elements.iter() {
            self.pending.remove(range.clone());
        }
        self.requeued.retain(|index, _| !elements.contains(index));
        self.last_end = self.last_end.max(at);
        match self.ended.iter_mut().find(|(known, _)| *known == end) {
            Some((_, indices)) => indices.extend(elements.iter().cloned()),
            None => self.ended.push((end, elements.clone())),
        }
    }

    /// Returns how an element ended, if it has.
    pub(crate) fn end_of(&self, index: u32) -> Option<&End> {
        self.ended.iter().find(|(_, indices)| indices.contains(&index)).map(|(end, _)| end)
    }

    /// Returns the states of all its elements, of which `live` run. Those that are alike share a status.
    pub(super) fn statuses<'a>(
        &self,
        live: impl Iterator<Item = &'a Job>,
        host: &str,
    ) -> Vec<Status> {
        let waiting = End::without_run(JobState::Pending, self.reason.clone());
        let mut groups = vec![(waiting, self.pending.clone())];
        for job in live {
            let now = End::without_run(job.told_state(), None);
            let range = job.index..=job.index;
            match groups.iter_mut().find(|(known, _)| *known == now) {
                Some((_, indices)) => indices.insert(range),
                None => groups.push((now, Elements::from_iter([range]))),
            }
        }
        let groups = groups.iter().chain(&self.ended).filter(|(_, indices)| !indices.is_empty());
        let status = |(end, indices): &(End, Elements)| Status {
            elements: Some(written(indices)),
            ..self.status(self.id, end, host)
        };
        groups.map(status).collect()
    }

    /// Returns the state of one element that does not run.
    pub(super) fn status_of(&self, index: u32, host: &str) -> Option<Status> {
        let waiting = End::without_run(JobState::Pending, self.reason.clone());
        let end = self.end_of(index).unwrap_or(&waiting);
        let started = self.started_at.filter(|_| end.state.is_terminal()).map(|at| at / 1000);
        Some(Status { started, ..self.status(self.id_of(index)?, end, host) })
    }

    fn status(&self, id: JobId, end: &End, host: &str) -> Status {
        Status {
            id,
            elements: None,
            dir: self.request.dir.clone(),
            state: end.state.clone(),
            reason: end.reason.clone(),
            host: host.to_owned(),
            exit: end.exit,
            entered: end.entered,
            started: None,
            time_limit: self.request.time_limit,
            ahead: None,
        }
    }
}

impl End {
    /// Returns the end, or the state, of an element that has not run.
    pub(crate) fn without_run(state: JobState, reason: Option<String>) -> Self {
        Self { state, reason, exit: None, entered: false }
    }

    pub(crate) fn is_well(&self) -> bool {
        self.state == JobState::Completed
    }
}

/// Returns elements as they travel.
pub(crate) fn written(elements: &Elements) -> Indices {
    elements.iter().map(|range| (*range.start(), *range.end())).collect()
}

/// Returns the elements that travelled.
pub(crate) fn read(indices: &Indices) -> Elements {
    let ranges = indices.iter().filter(|(first, last)| first <= last);
    ranges.map(|(first, last)| *first..=*last).collect()
}
