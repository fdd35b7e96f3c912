//! Jobs of other processes.

use std::path::Path;

use slurm_core::ids::{JobId, PreId};
use slurm_core::layout::JobDir;
use slurm_core::task::Task;

use super::Cluster;
use crate::error::{Error, Result};
use crate::explain::Explanation;
use crate::job::{Job, JobHandle, JobRef};
use crate::submit::Submitted;

impl Cluster {
    /// Returns a job of the task `T` that any process has submitted.
    ///
    /// By its id the job is found as long as the queue or the accounting knows it; by its submission's
    /// id as long as its directory exists; by a handle without looking.
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
    /// [`Error::NoSuchJob`] if it is not found, [`Error::OtherTask`] if it runs another task.
    pub fn attach<T: Task>(&self, job: impl Into<JobRef>) -> Result<Job<T::Output>> {
        let entry = T::entry();
        let handle = match job.into() {
            JobRef::Handle(handle) => *handle,
            JobRef::PreId(pre_id) => {
                let dir = JobDir::new(&self.jobs_dir(), entry.name, &pre_id);
                self.handle_in(&dir, pre_id.as_str())?
            }
            JobRef::Id(id) => match self.backend().dir_of(id)? {
                Some(dir) => self.handle_in(&JobDir::at(dir), &id.to_string())?,
                None => return Err(self.no_such_job(&id.to_string())),
            },
            JobRef::Unknown(text) => return Err(self.no_such_job(&text)),
        };
        if handle.task != entry.name {
            return Err(Error::OtherTask {
                id: Some(handle.job_id),
                expected: entry.name,
                found: handle.task,
            });
        }
        // A result of a program with other types is refused when it is read.
        let handle = JobHandle { signature: entry.signature, ..handle };
        Ok(Job::new(self.clone(), handle, T::decode_output, None))
    }

    fn handle_in(&self, dir: &JobDir, wanted: &str) -> Result<JobHandle> {
        let host = self.backend().host();
        let Some(json) = host.read(&dir.job_json(), 0)? else {
            return Err(self.no_such_job(wanted));
        };
        let described: Explanation =
            serde_json::from_slice(&json).map_err(|error| damaged(&dir.job_json(), &error))?;
        let job_id = self.id_in(dir, &described.pre_id)?;
        Ok(JobHandle {
            pre_id: described.pre_id,
            job_id,
            task: described.task,
            signature: described.signature,
            dir: dir.path().to_owned(),
        })
    }

    /// The id of a submission whose client may have died before it could note it.
    pub(crate) fn id_in(&self, dir: &JobDir, pre_id: &PreId) -> Result<JobId> {
        // One that is empty is being written.
        let note = self.backend().host().read(&dir.submitted(), 0)?;
        if let Some(note) = note.filter(|note| !note.is_empty()) {
            let note: Submitted =
                serde_json::from_slice(&note).map_err(|error| damaged(&dir.submitted(), &error))?;
            return Ok(note.job_id);
        }
        self.backend().id_of(pre_id, 0)?.ok_or_else(|| self.no_such_job(pre_id.as_str()))
    }

    fn no_such_job(&self, wanted: &str) -> Error {
        let place = format!(
            "to the {} backend with {}",
            self.backend().name(),
            self.job_base_dir().display()
        );
        Error::NoSuchJob { wanted: wanted.to_owned(), place }
    }
}

fn damaged(path: &Path, error: &serde_json::Error) -> Error {
    Error::Config {
        message: format!("{} is damaged: {error}", path.display()),
        hint: "attach with a handle that was kept elsewhere".to_owned(),
    }
}
