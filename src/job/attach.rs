//! Attaching to jobs of other processes.

use std::path::Path;

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::{self, JobDir};
use slurm_core::task::Task;
use slurm_host::{Found, Look};

use super::{Job, JobRef};
use crate::backend::{Asked, SubmissionNote};
use crate::cluster::Cluster;
use crate::error::{Error, HostError, Result};
use crate::model::{Explanation, JobHandle};

impl Cluster {
    /// Returns a job of the task `T` that any process has submitted.
    ///
    /// A job id works while the queue or the accounting knows the job, or while its directory exists. A
    /// submission's id works while the directory exists. A handle works without a look.
    ///
    /// ```no_run
    /// # #[slurm::task]
    /// # fn train(seed: u64) -> f64 { seed as f64 }
    /// # fn main() -> slurm::Result<()> {
    /// # let cluster = slurm::Cluster::local()?;
    /// let job = cluster.attach::<train>("20261123_094611_0a1b2c3d")?;
    /// println!("{}", job.result()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NoSuchJob`] if it is not found, [`Error::OtherTask`] if it runs another task,
    /// [`Error::OtherKind`] if it is an array or an element of one.
    pub fn attach<T: Task>(&self, job: impl Into<JobRef>) -> Result<Job<T::Output>> {
        let entry = T::entry();
        let handle = match job.into() {
            JobRef::Handle(handle) => *handle,
            JobRef::SubmissionId(submission_id) => {
                let (dir, described) = self.find_submission(entry.name, &submission_id)?;
                self.handle_of_job(&dir, described, submission_id.as_str())?
            }
            JobRef::Id(id) => {
                let (dir, described) = self.find_job(entry.name, id)?;
                self.handle_of_job(&dir, described, &id.to_string())?
            }
            JobRef::On { id, cluster } => {
                let there = self.at(Some(&cluster));
                let (dir, described) = there.find_job(entry.name, id)?;
                let found = there.handle_of_job(&dir, described, &id.to_string())?;
                JobHandle { cluster: Some(cluster), ..found }
            }
            JobRef::Element { array, indices } => {
                let (dir, described) = self.find_job(entry.name, array)?;
                self.handle_of_job(&dir, described, &format!("{array}_{indices}"))?
            }
            JobRef::Unknown(text) => return Err(self.no_such_job(&text)),
        };
        if handle.task != entry.name {
            return Err(Error::OtherTask {
                id: Some(handle.job_id),
                expected: entry.name,
                found: handle.task,
            });
        }
        // If the types differ from those of this program, the result is refused when it is read.
        let handle = JobHandle { signature: entry.signature, ..handle };
        Ok(Job::new(self.clone(), handle, T::decode_output, None))
    }

    /// Returns the handle of a submission if it is a single job. `wanted` is the name under which it was looked
    /// for.
    fn handle_of_job(
        &self,
        dir: &JobDir,
        described: Explanation,
        wanted: &str,
    ) -> Result<JobHandle> {
        if let Some(array) = &described.array {
            let (task, submission_id) = (&described.task, &described.submission_id);
            let part = match wanted.split_once('_') {
                Some((_, index)) if wanted != submission_id.as_str() => {
                    format!("element {index} of ")
                }
                _ => String::new(),
            };
            let items = array.items;
            return Err(Error::OtherKind {
                wanted: wanted.to_owned(),
                found: format!(
                    "{part}an array of {items} calls of `{task}`, submission {submission_id}"
                ),
                hint: format!("attach to it with `attach_array` by {submission_id}"),
            });
        }
        let SubmissionNote { job_id, cluster, .. } = self.note_in(dir, &described.submission_id)?;
        Ok(JobHandle {
            submission_id: described.submission_id,
            job_id,
            task: described.task,
            signature: described.signature,
            dir: dir.path().to_owned(),
            cluster,
        })
    }

    /// Returns the description of the submission in `dir`, if there is one.
    fn described(&self, dir: &JobDir) -> Result<Option<Explanation>> {
        let Some(json) = self.backend().host().read(&dir.job_json(), 0)? else { return Ok(None) };
        let described = serde_json::from_slice(&json);
        described.map(Some).map_err(|error| damaged(&dir.job_json(), &error))
    }

    /// Returns a submission of any task. The folder of `task` is searched first.
    pub(crate) fn find_submission(
        &self,
        task: &str,
        submission_id: &SubmissionId,
    ) -> Result<(JobDir, Explanation)> {
        let own = JobDir::new(&self.jobs_dir(), task, submission_id);
        if let Some(described) = self.described(&own)? {
            return Ok((own, described));
        }
        let folders = self.names_in(&self.jobs_dir())?;
        let dirs: Vec<JobDir> = folders
            .iter()
            .map(|folder| JobDir::new(&self.jobs_dir(), folder, submission_id))
            .collect();
        let look = |dir: &JobDir| Look::File { path: dir.job_json(), offset: 0 };
        let looks: Vec<Look> = dirs.iter().map(look).collect();
        let found = self.backend().host().look(&looks, u64::MAX)?;
        let is_there = |found: &Result<Found, HostError>| matches!(found, Ok(Found::Bytes(_)));
        if let Some((dir, _)) = dirs.into_iter().zip(found).find(|(_, found)| is_there(found))
            && let Some(described) = self.described(&dir)?
        {
            return Ok((dir, described));
        }
        Err(Error::NoSuchJob {
            wanted: submission_id.to_string(),
            said: format!("{} has no submission with this id", self.jobs_dir().display()),
        })
    }

    /// Returns the submission of the job with this id. If the backend has forgotten the job, the notes of
    /// submissions of `task` are searched.
    pub(crate) fn find_job(&self, task: &str, id: JobId) -> Result<(JobDir, Explanation)> {
        let known = self.backend().dir_of(id);
        let dir = match &known {
            Ok(Some(dir)) => Some(JobDir::at(dir)),
            _ => self.find_note(task, id)?,
        };
        if let Some(dir) = dir
            && let Some(described) = self.described(&dir)?
        {
            return Ok((dir, described));
        }
        known?;
        let survey = self.backend().survey(&[Asked::job(id)])?;
        let Some(seen) = survey.all_of(id).next() else {
            return Err(survey.testimony.absence_of(id));
        };
        let (state, base) = (&seen.state, self.job_base_dir().display());
        Err(Error::NoSuchJob {
            wanted: id.to_string(),
            said: format!("a job with this id is {state}, but it was not submitted to {base}"),
        })
    }

    /// Returns the newest submission of `task` whose note has the id.
    fn find_note(&self, task: &str, id: JobId) -> Result<Option<JobDir>> {
        // The folder of a task may hold submissions of years.
        const NEWEST: usize = 2000;
        let folder = self.jobs_dir().join(layout::task_folder(task));
        let mut names = self.names_in(&folder)?;
        names.sort_unstable_by(|one, other| other.cmp(one));
        names.truncate(NEWEST);
        let dirs: Vec<JobDir> = names.iter().map(|name| JobDir::at(folder.join(name))).collect();
        for dirs in dirs.chunks(200) {
            let look = |dir: &JobDir| Look::File { path: dir.submitted(), offset: 0 };
            let looks: Vec<Look> = dirs.iter().map(look).collect();
            let found = self.backend().host().look(&looks, u64::MAX)?;
            let found = dirs.iter().zip(found).find(|(_, found)| has_id(found, id));
            if let Some((dir, _)) = found {
                return Ok(Some(dir.clone()));
            }
        }
        Ok(None)
    }

    fn names_in(&self, dir: &Path) -> Result<Vec<String>> {
        let look = Look::Dir { path: dir.to_owned() };
        let found = self.backend().host().look(&[look], u64::MAX)?.pop().transpose()?;
        Ok(match found {
            Some(Found::Names(names)) => names,
            _ => Vec::new(),
        })
    }

    /// Returns the note of a submission. If its client died before it could write the note, asks the backend.
    pub(crate) fn note_in(
        &self,
        dir: &JobDir,
        submission_id: &SubmissionId,
    ) -> Result<SubmissionNote> {
        // An empty file is still being written.
        let note = self.backend().host().read(&dir.submitted(), 0)?;
        if let Some(note) = note.filter(|note| !note.is_empty()) {
            return serde_json::from_slice(&note)
                .map_err(|error| damaged(&dir.submitted(), &error));
        }
        let found = self.backend().id_of(submission_id, 0)?;
        let job_id = found.ok_or_else(|| self.no_such_job(submission_id.as_str()))?;
        let cluster = self.backend().cluster().map(str::to_owned);
        Ok(SubmissionNote { job_id, further: Vec::new(), cluster })
    }

    fn no_such_job(&self, wanted: &str) -> Error {
        let backend = self.backend();
        let said = format!(
            "the {} backend has no job of this library with that id in {}",
            backend.kind(),
            backend.job_base_dir().display()
        );
        Error::NoSuchJob { wanted: wanted.to_owned(), said }
    }
}

/// Returns whether the file is a note with this id.
fn has_id(found: &Result<Found, HostError>, id: JobId) -> bool {
    let Ok(Found::Bytes(bytes)) = found else { return false };
    let note = serde_json::from_slice::<SubmissionNote>(bytes);
    note.is_ok_and(|note| note.job_id == id || note.further.contains(&id))
}

fn damaged(path: &Path, error: &serde_json::Error) -> Error {
    Error::Config {
        message: format!("{} is damaged: {error}", path.display()),
        hint: "attach with a handle that was kept elsewhere".to_owned(),
    }
}
