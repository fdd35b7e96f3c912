//! Continuing a workflow in another submission.

use slurm_core::task::Task;

use crate::builder::JobBuilder;
use crate::error::{OptionProblem, Result};
use crate::job::Job;
use crate::submit::workflow::state_dir_of;

impl<T: Task> JobBuilder<T> {
    /// Makes the workflow continue where the workflow of `job` stopped. That job must have ended: cancelled,
    /// failed, or requeued too often. The new workflow takes over the directory, and with it all jobs that have
    /// succeeded or still run. Failed jobs are submitted again when the workflow makes their calls. Failed
    /// items of an array are [retried](crate::JobArray::retry_failed) with the options of the original
    /// submission.
    ///
    /// The arguments of the workflow may differ, because a job is identified by its own task and arguments. A
    /// workflow that Slurm or `on_timeout` requeues continues without this method.
    ///
    /// ```no_run
    /// # use slurm::{Cluster, Workflow};
    /// # #[slurm::workflow]
    /// # fn pipeline(flow: &Workflow, epochs: u32) -> slurm::Result<f64> { Ok(0.0) }
    /// # fn main() -> slurm::Result<()> {
    /// # let cluster = Cluster::local()?;
    /// let stopped = cluster.attach::<pipeline>("20261123_094611_0a1b2c3d")?;
    /// let job = pipeline::job(90).resume(&stopped)?.submit(&cluster)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the job's directory or its state cannot be read.
    pub fn resume(mut self, job: &Job<T::Output>) -> Result<Self> {
        let name = T::entry().name;
        match state_dir_of(job.cluster(), job.job_dir())? {
            None => self.options.refuse(OptionProblem::new(format!(
                "job {} ({name}) is not a workflow, so it cannot be resumed",
                job.id()
            ))),
            Some(_) if !job.is_finished()? => {
                self.options.refuse(OptionProblem::new(format!(
                    "job {} ({name}) has not ended, so it cannot be resumed",
                    job.id()
                )));
            }
            Some(dir) => self.resumed = Some(dir),
        }
        Ok(self)
    }
}
