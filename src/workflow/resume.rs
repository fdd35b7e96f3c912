//! Going on where another submission stopped.

use slurm_core::task::Task;

use crate::builder::JobBuilder;
use crate::error::Result;
use crate::job::Job;
use crate::submit::workflow::state_dir_of;

impl<T: Task> JobBuilder<T> {
    /// Makes the workflow go on where the one of `job` stopped, which must have ended: cancelled, failed,
    /// requeued too often. It gets that one's directory, and with it the jobs that have succeeded or
    /// still run; those that failed are submitted again when it comes to them. Of an array the items that
    /// failed are [tried again](crate::JobArray::retry_failed), with the options that it was submitted with.
    ///
    /// The arguments may be others: a job is known by its own task and arguments. A workflow that Slurm or
    /// `on_timeout` requeues does all this by itself.
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
    /// If the job's directory or its state cannot be looked at.
    pub fn resume(mut self, job: &Job<T::Output>) -> Result<Self> {
        let name = T::entry().name;
        match state_dir_of(job.cluster(), job.job_dir())? {
            None => self.options.problems.push(format!(
                "job {} ({name}) is not a workflow, so it cannot be resumed",
                job.id()
            )),
            Some(_) if !job.is_finished()? => {
                let problem =
                    format!("job {} ({name}) has not ended, so it cannot be resumed", job.id());
                self.options.problems.push(problem);
            }
            Some(dir) => self.resumed = Some(dir),
        }
        Ok(self)
    }
}
