//! A job array in the supervisor's hands.
//!
//! It is one entry, however many elements it has: those that wait and those that ended are ranges of
//! indices. An element becomes a [`LocalJob`] of its own when it starts, and is a range again when it
//! has ended.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rangemap::RangeInclusiveSet;
use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;
use slurm_core::options::Dependency;
use slurm_core::state::JobState;

use super::job::{self, Element, LocalJob, Parent};
use crate::backend::local::protocol::{JobRequest, Status, host};
use crate::backend::{Exit, Indices};

/// Some elements of an array.
pub(super) type Elements = RangeInclusiveSet<u32>;

/// An array.
#[derive(Debug)]
pub(super) struct LocalArray {
    /// That of its first element too; those of the others follow.
    pub(super) id: JobId,
    pub(super) size: u32,
    pub(super) max_running: Option<u32>,
    /// Without the environment.
    pub(super) request: Arc<JobRequest>,
    pub(super) dependency: Option<Dependency>,
    pub(super) within: Option<Parent>,
    /// Those that have not started.
    pub(super) pending: Elements,
    /// Why they have not.
    pub(super) reason: Option<String>,
    /// Those that have ended, by how they did.
    pub(super) ended: Vec<(End, Elements)>,
    /// When the last one of them did, in milliseconds since the Unix epoch.
    pub(super) last_end: u64,
}

/// How a job ended, or what it is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) state: JobState,
    pub(super) reason: Option<String>,
    pub(super) exit: Option<Exit>,
    /// Whether the task was called in the last run.
    pub(super) entered: bool,
}

impl LocalArray {
    /// Returns an array whose elements all wait.
    ///
    /// # Errors
    /// It is none, its dependencies cannot be read, or there are not enough ids for it.
    pub(super) fn new(id: JobId, request: JobRequest) -> Result<Self, String> {
        let array = request.array.ok_or("it is not an array")?;
        let last = array.size.checked_sub(1).ok_or("an array without elements")?;
        id.get().checked_add(last).ok_or("all job ids are used up")?;
        Ok(Self {
            id,
            size: array.size,
            max_running: array.max_running,
            dependency: job::dependency(id, &request)?,
            within: Parent::of(id, &request)?,
            request: Arc::new(request),
            pending: Elements::from_iter([0..=last]),
            reason: None,
            ended: Vec::new(),
            last_end: 0,
        })
    }

    /// Returns the indices of all elements.
    pub(super) fn indices(&self) -> RangeInclusive<u32> {
        0..=self.size.saturating_sub(1)
    }

    /// Returns the id of an element.
    pub(super) fn id_of(&self, index: u32) -> Option<JobId> {
        self.indices()
            .contains(&index)
            .then(|| self.id.get().checked_add(index))?
            .and_then(JobId::new)
    }

    /// Returns which element has this id.
    pub(super) fn index_of(&self, id: JobId) -> Option<u32> {
        id.get().checked_sub(self.id.get()).filter(|index| self.indices().contains(index))
    }

    /// Returns the ids of all elements.
    pub(super) fn ids(&self) -> RangeInclusive<JobId> {
        self.id..=self.id_of(self.size.saturating_sub(1)).unwrap_or(self.id)
    }

    /// Makes a job of an element that waits.
    pub(super) fn take(&mut self, index: u32) -> Option<LocalJob> {
        let id = self.id_of(index).filter(|_| self.pending.contains(&index))?;
        self.pending.remove(index..=index);
        let element = Element { array: self.id, index, size: self.size };
        Some(LocalJob::of_array(id, element, self.within, Arc::clone(&self.request)))
    }

    /// Ends elements that wait, those of `elements`, and returns which they were.
    pub(super) fn end_pending(&mut self, elements: &Elements, end: End, at: u64) -> Elements {
        let which = &self.pending & elements;
        for range in which.iter() {
            self.pending.remove(range.clone());
        }
        self.note_end(&which, end, at);
        which
    }

    /// Notes how elements ended.
    pub(super) fn note_end(&mut self, elements: &Elements, end: End, at: u64) {
        if elements.is_empty() {
            return;
        }
        self.last_end = self.last_end.max(at);
        let alike = self.ended.iter_mut().find(|(known, _)| *known == end);
        match alike {
            Some((_, indices)) => indices.extend(elements.iter().cloned()),
            None => self.ended.push((end, elements.clone())),
        }
    }

    /// Returns how an element ended, if it has.
    pub(super) fn end_of(&self, index: u32) -> Option<&End> {
        self.ended.iter().find(|(_, indices)| indices.contains(&index)).map(|(end, _)| end)
    }

    /// Returns what is known of all its elements, of which `live` have started and not ended.
    pub(super) fn statuses<'a>(&self, live: impl Iterator<Item = &'a LocalJob>) -> Vec<Status> {
        let waiting = End::without_run(JobState::Pending, self.reason.clone());
        let mut groups = vec![(waiting, self.pending.clone())];
        for job in live {
            let Some(element) = job.element else { continue };
            let (state, reason) = (job.told_state(), job.reason.clone());
            let now = End { state, reason, exit: job.exit, entered: job.entered };
            let range = element.index..=element.index;
            match groups.iter_mut().find(|(known, _)| *known == now) {
                Some((_, indices)) => indices.insert(range),
                None => groups.push((now, Elements::from_iter([range]))),
            }
        }
        let groups = groups.iter().chain(&self.ended).filter(|(_, indices)| !indices.is_empty());
        groups.map(|(end, indices)| self.status(end, Some(written(indices)))).collect()
    }

    /// Returns what is known of one element that is no job now.
    pub(super) fn status_of(&self, index: u32) -> Option<Status> {
        let waiting = End::without_run(JobState::Pending, self.reason.clone());
        let end = self.end_of(index).unwrap_or(&waiting);
        Some(Status { id: self.id_of(index)?, ..self.status(end, None) })
    }

    fn status(&self, end: &End, elements: Option<Indices>) -> Status {
        Status {
            id: self.id,
            elements,
            dir: self.request.dir.clone(),
            state: end.state.clone(),
            reason: end.reason.clone(),
            host: host(),
            exit: end.exit,
            entered: end.entered,
            started: None,
            time_limit: self.request.time_limit,
            ahead: None,
        }
    }
}

impl End {
    /// Returns the end, or the state, of what has not run.
    pub(super) fn without_run(state: JobState, reason: Option<String>) -> Self {
        Self { state, reason, exit: None, entered: false }
    }

    pub(super) fn is_well(&self) -> bool {
        self.state == JobState::Completed
    }
}

/// Returns elements as they travel.
pub(super) fn written(elements: &Elements) -> Indices {
    elements.iter().map(|range| (*range.start(), *range.end())).collect()
}

/// Returns the elements that travelled.
pub(super) fn read(indices: &Indices) -> Elements {
    indices
        .iter()
        .filter(|(first, last)| first <= last)
        .map(|(first, last)| *first..=*last)
        .collect()
}
