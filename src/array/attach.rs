//! Finding arrays of other processes.

use std::path::Path;

use serde::de::DeserializeOwned;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::state::JobState;
use slurm_core::task::Task;

use super::JobArray;
use super::retry::{damaged, same_options};
use super::state::State;
use crate::backend::SubmissionNote;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::job::JobRef;
use crate::model::{ArrayHandle, ArrayPart, ExplainedArray, Explanation};

impl Cluster {
    /// Returns an array of the task `T` that any process has submitted, with all attempts. It can be named by
    /// its id or the id of an element as squeue shows it, by its submission's id, or by its handle.
    ///
    /// # Errors
    /// [`Error::NoSuchJob`] if it is not found, [`Error::OtherTask`] if it is an array of another task,
    /// [`Error::OtherKind`] if it is a single job.
    pub fn attach_array<T: Task>(&self, array: impl Into<ArrayRef>) -> Result<JobArray<T::Output>> {
        let handle = match array.into() {
            ArrayRef::Handle(handle) => handle.checked()?,
            ArrayRef::SubmissionId(submission_id) => {
                let (dir, described) = self.find_submission(T::entry().name, &submission_id)?;
                self.array_handle(&dir, &described, submission_id.as_str())?
            }
            ArrayRef::Id(id) => {
                let (dir, described) = self.find_job(T::entry().name, id)?;
                self.array_handle(&dir, &described, &id.to_string())?
            }
            ArrayRef::On { id, cluster } => {
                let there = self.at(Some(&cluster));
                let (dir, described) = there.find_job(T::entry().name, id)?;
                let found = there.array_handle(&dir, &described, &id.to_string())?;
                ArrayHandle { cluster: Some(cluster), ..found }
            }
            ArrayRef::Unknown(text) => {
                let said = "it is neither a job's id nor a submission's".to_owned();
                return Err(Error::NoSuchJob { wanted: text, said });
            }
        };
        if handle.task != T::entry().name {
            return Err(Error::OtherTask {
                id: handle.parts.first().map(|part| part.job_id),
                expected: T::entry().name,
                found: handle.task,
            });
        }
        // If the types differ from those of this program, the results are refused when they are read.
        let handle = ArrayHandle { signature: T::entry().signature, ..handle };
        let array = JobArray::new(self, handle, T::decode_output, None);
        self.follow(&array)?;
        Ok(array)
    }

    /// Returns the handle of a submission if it is an array. `wanted` is the name under which it was looked
    /// for.
    fn array_handle(
        &self,
        dir: &JobDir,
        described: &Explanation,
        wanted: &str,
    ) -> Result<ArrayHandle> {
        if described.array.is_some() {
            return self.handle_of_array(dir, described);
        }
        Err(Error::OtherKind {
            wanted: wanted.to_owned(),
            found: format!("a single job of `{}`", described.task),
            hint: "attach to it with `attach`".to_owned(),
        })
    }

    /// Returns the handle of the array that `explanation` describes, whose submission is in `dir`.
    pub(super) fn handle_of_array(
        &self,
        dir: &JobDir,
        explanation: &Explanation,
    ) -> Result<ArrayHandle> {
        let submission_id = &explanation.submission_id;
        let unknown = || Error::NoSuchJob {
            wanted: submission_id.to_string(),
            said: format!("{} describes no array that was submitted", dir.path().display()),
        };
        let array = explanation.array.as_ref().ok_or_else(unknown)?;
        let note: Option<SubmissionNote> = self.json(&dir.submitted())?;
        let mut cluster = self.backend().cluster().map(str::to_owned);
        let ids = match note {
            Some(note) => {
                cluster = note.cluster;
                [vec![note.job_id], note.further].concat()
            }
            // The client died before it could note the ids.
            None => {
                let mut ids = Vec::new();
                while let Some(id) = self.backend().id_of(submission_id, ids.len() as u32)? {
                    // A backend that ignores the number of the part would answer without end.
                    if ids.contains(&id) {
                        break;
                    }
                    ids.push(id);
                }
                ids
            }
        };
        // Older limits of the cluster may have been different, so the description comes first.
        let most = match array.elements_per_array {
            0 => self.backend().limits()?.elements,
            most => most,
        };
        if ids.is_empty() {
            return Err(unknown());
        }
        let handle = described(explanation, array, dir, ids, most)?;
        Ok(ArrayHandle { cluster, ..handle })
    }

    /// Returns the state of the array in `dir` as a whole, with the items of all attempts; `None` if it is not
    /// known.
    pub(crate) fn array_state(&self, dir: &Path) -> Result<Option<JobState>> {
        let explanation: Option<Explanation> = self.json(&JobDir::at(dir).job_json())?;
        let Some(explanation) = explanation else { return Ok(None) };
        let handle = match self.handle_of_array(&JobDir::at(dir), &explanation) {
            Err(Error::NoSuchJob { .. }) => return Ok(None),
            other => other?,
        };
        let array = JobArray::<()>::new(self, handle, |_| Ok(()), None);
        self.follow(&array)?;
        let progress = array.refresh()?;
        Ok(Some(match progress.items - progress.ended() {
            0 if progress.failed == 0 => JobState::Completed,
            0 => JobState::Failed,
            _ if progress.running > 0 => JobState::Running,
            _ => JobState::Pending,
        }))
    }

    /// Reads a file that describes a submission.
    pub(super) fn json<V: DeserializeOwned>(&self, path: &Path) -> Result<Option<V>> {
        let bytes = self.backend().host().read(path, 0)?;
        // An empty file is still being written.
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else { return Ok(None) };
        serde_json::from_slice(&bytes).map(Some).map_err(|error| damaged(path, &error.to_string()))
    }
}

/// Returns the handle of a described array. Its Slurm arrays have these `ids` and at most `most` elements each.
fn described(
    explanation: &Explanation,
    array: &ExplainedArray,
    dir: &JobDir,
    ids: Vec<JobId>,
    most: u64,
) -> Result<ArrayHandle> {
    let handle = ArrayHandle {
        submission_id: explanation.submission_id.clone(),
        signature: explanation.signature,
        dir: dir.path().to_owned(),
        // One part with all elements, until `checked` has found the description plausible.
        parts: ids
            .iter()
            .take(1)
            .map(|id| ArrayPart { job_id: *id, elements: array.elements })
            .collect(),
        items: array.items,
        items_per_element: array.items_per_element,
        max_attempts: array.max_attempts,
        task: explanation.task.clone(),
        cluster: None,
    };
    let handle = handle.checked()?;
    let parts = ids.into_iter().zip(super::sharing::parts(array.elements, most));
    let parts = parts.map(|(job_id, elements)| ArrayPart { job_id, elements }).collect();
    Ok(ArrayHandle { parts, ..handle })
}

/// Reads the description of an array (a handle, `retry-1.json` or `job.json`) and a segment of it; for the fuzz
/// targets.
pub(crate) fn read_anything(description: &[u8], segment: &[u8]) {
    let handle = serde_json::from_slice::<ArrayHandle>(description).ok();
    let handle = handle.and_then(|handle| handle.checked().ok()).or_else(|| {
        let explanation: Explanation = serde_json::from_slice(description).ok()?;
        let _ = same_options(&explanation);
        let ids = [JobId::new(7)?, JobId::new(8)?];
        let dir = JobDir::at("/nowhere");
        described(&explanation, explanation.array.as_ref()?, &dir, ids.to_vec(), 1001).ok()
    });
    // Larger arrays only take longer.
    if let Some(handle) = handle.filter(|handle| (1..10_000).contains(&handle.items)) {
        State::of_anything(&handle, segment);
    }
}

/// A way to name an array: by its id, by its submission's id, or by its handle.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArrayRef {
    /// The id that Slurm gave.
    Id(JobId),
    /// The id on a Slurm cluster other than the host's own: `123;cluster`.
    On {
        /// The id.
        id: JobId,
        /// The cluster's name.
        cluster: String,
    },
    /// The id of the submission.
    SubmissionId(SubmissionId),
    /// A handle of another process.
    Handle(Box<ArrayHandle>),
    /// A text that is neither kind of id; no array will be found.
    Unknown(String),
}

impl From<JobId> for ArrayRef {
    fn from(id: JobId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for ArrayRef {
    fn from(text: &str) -> Self {
        match JobRef::from(text) {
            JobRef::Id(id) | JobRef::Element { array: id, .. } => Self::Id(id),
            JobRef::SubmissionId(submission_id) => Self::SubmissionId(submission_id),
            JobRef::On { id, cluster } => Self::On { id, cluster },
            JobRef::Handle(_) | JobRef::Unknown(_) => Self::Unknown(text.to_owned()),
        }
    }
}

impl From<SubmissionId> for ArrayRef {
    fn from(submission_id: SubmissionId) -> Self {
        Self::SubmissionId(submission_id)
    }
}

impl From<&SubmissionId> for ArrayRef {
    fn from(submission_id: &SubmissionId) -> Self {
        Self::SubmissionId(submission_id.clone())
    }
}

impl From<ArrayHandle> for ArrayRef {
    fn from(handle: ArrayHandle) -> Self {
        Self::Handle(Box::new(handle))
    }
}

impl From<&ArrayHandle> for ArrayRef {
    fn from(handle: &ArrayHandle) -> Self {
        Self::Handle(Box::new(handle.clone()))
    }
}
