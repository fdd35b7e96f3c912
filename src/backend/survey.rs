//! Questions to a backend, and the answers of its sources.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;

use super::{Sighting, Testimony};

/// A question to a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) job: JobId,
    /// The relevant elements, if it is an array.
    pub(crate) elements: Option<Indices>,
}

/// Some elements of an array, as inclusive ranges of their indices.
pub(crate) type Indices = Vec<(u32, u32)>;

/// Returns indices as Slurm writes them: `0-3,7`.
pub(crate) fn written(indices: &Indices) -> String {
    let range = |(first, last): &(u32, u32)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    indices.iter().map(range).collect::<Vec<_>>().join(",")
}

impl Asked {
    /// Returns the question about a job, or about a whole array.
    pub(crate) fn job(job: JobId) -> Self {
        Self { job, elements: None }
    }

    /// Returns whether `survey` lacks an answer about the job or a relevant element.
    pub(crate) fn is_missing_in(&self, survey: &Survey) -> bool {
        // A line about the whole array holds for every element without a line of its own.
        if survey.seen.contains_key(&self.job) {
            return false;
        }
        let seen = survey.elements.get(&self.job);
        let Some(elements) = &self.elements else { return seen.is_none() };
        let mut ranges: Indices =
            seen.into_iter().flatten().flat_map(|(indices, _)| indices).copied().collect();
        ranges.sort_unstable();
        // Both lists ascend, so one pass is enough.
        let mut ranges = ranges.into_iter().peekable();
        elements.iter().any(|(first, last)| {
            let mut next = *first;
            while let Some((from, to)) = ranges.peek() {
                if *from > next {
                    return true;
                }
                next = next.max(to.saturating_add(1));
                if next > *last {
                    return false;
                }
                ranges.next();
            }
            true
        })
    }
}

/// The answers of a backend about some jobs.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The known jobs, and the arrays that a source lists as a whole. Unknown ones are missing.
    pub(crate) seen: HashMap<JobId, Sighting>,
    /// The elements of arrays, by the array's id. Unknown elements are missing. The last sighting of an element
    /// holds.
    pub(crate) elements: HashMap<JobId, Vec<(Indices, Sighting)>>,
    /// The jobs and arrays that the queue still lists.
    pub(crate) queued: HashSet<JobId>,
    /// The jobs before a pending job, or before an array by its id. Only the embedded backend reports this.
    pub(crate) ahead: HashMap<JobId, Ahead>,
    /// The answers of the sources about jobs that they did not list.
    pub(crate) testimony: Testimony,
}

/// The jobs before a job in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ahead {
    /// The number of jobs and elements that start before it.
    pub(crate) waiting: u64,
    /// The number of jobs and elements that run now.
    pub(crate) running: u64,
}

impl Survey {
    /// Returns the sighting of the element `index` of an array: from its own line, otherwise from a line about
    /// the array.
    pub(crate) fn element(&self, array: JobId, index: u32) -> Option<&Sighting> {
        let of_array = self.elements.get(&array).into_iter().flatten();
        let has = |(indices, _): &&(Indices, Sighting)| {
            indices.iter().any(|(first, last)| (*first..=*last).contains(&index))
        };
        let own = of_array.rev().find(has).map(|(_, sighting)| sighting);
        own.or_else(|| self.of_array(array))
    }

    /// Returns the sighting of an array as a whole, if it holds for elements without a line of their own.
    pub(crate) fn of_array(&self, array: JobId) -> Option<&Sighting> {
        self.seen.get(&array).filter(|seen| seen.holds_for_elements())
    }

    /// Returns all sightings of a job, or of an array and its elements.
    pub(crate) fn all_of(&self, job: JobId) -> impl Iterator<Item = &Sighting> {
        let elements = self.elements.get(&job).into_iter().flatten();
        self.seen.get(&job).into_iter().chain(elements.map(|(_, sighting)| sighting))
    }
}

#[cfg(test)]
mod tests {
    use slurm_core::state::JobState;

    use super::*;
    use crate::backend::Source;

    #[test]
    fn elements_without_a_line_are_missing() {
        let job: JobId = "7".parse().unwrap();
        let seen = Sighting::of(JobState::Running);
        let seen_at = |indices: &[(u32, u32)]| Survey {
            elements: HashMap::from([(job, vec![(indices.to_vec(), seen.clone())])]),
            ..Survey::default()
        };
        let asked = Asked { job, elements: Some(vec![(0, 3), (7, 7)]) };
        for (indices, missing) in [
            (&[(0, 9)][..], false),
            (&[(7, 7), (2, 5), (0, 1)], false),
            (&[(0, 3)], true),
            (&[(1, 9)], true),
            (&[(0, 1), (3, 9)], true),
            (&[], true),
        ] {
            assert_eq!(asked.is_missing_in(&seen_at(indices)), missing, "{indices:?}");
        }
        assert!(asked.is_missing_in(&Survey::default()));
        assert!(Asked::job(job).is_missing_in(&Survey::default()));
        assert!(!Asked::job(job).is_missing_in(&seen_at(&[(3, 3)])));
    }

    #[test]
    fn a_line_of_the_array_holds_for_elements_without_one() {
        let job: JobId = "7".parse().unwrap();
        let mut survey = Survey::default();
        survey.seen.insert(job, Sighting::of(JobState::Cancelled));
        let ended = (vec![(0, 1)], Sighting::of(JobState::Completed));
        survey.elements.insert(job, vec![ended]);
        let state = |index| survey.element(job, index).map(|seen| &seen.state);
        assert_eq!(state(1), Some(&JobState::Completed));
        assert_eq!(state(2), Some(&JobState::Cancelled));
        assert!(!Asked { job, elements: Some(vec![(0, 9)]) }.is_missing_in(&survey));
    }

    #[test]
    fn the_record_of_one_element_is_not_taken_for_the_whole_array() {
        let job: JobId = "7".parse().unwrap();
        let state_of_element = |source, state| {
            let mut survey = Survey::default();
            survey.seen.insert(job, Sighting { source, ..Sighting::of(state) });
            survey.element(job, 3).map(|seen| seen.state.clone())
        };
        let accounted = |state| state_of_element(Source::Accounting, state);
        for state in [JobState::Completed, JobState::Failed, JobState::Timeout] {
            assert_eq!(accounted(state.clone()), None, "{state}");
        }
        for state in [JobState::Pending, JobState::Cancelled, JobState::Deadline] {
            assert_eq!(accounted(state.clone()), Some(state));
        }
        let failed = JobState::Failed;
        assert_eq!(state_of_element(Source::Queue, failed.clone()), Some(failed));
    }
}
