//! Going on where another submission stopped.

use slurm_core::options::OptionSet;
use slurm_core::task::{Task, TaskEntry, TaskKind};

use super::state_dir_of;
use crate::builder::{JobBuilder, given};
use crate::error::Result;
use crate::job::Job;

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

/// The options that set a number of tasks, to be named if they do.
const SEVERAL: &[&str] = &[
    "ntasks",
    "ntasks_per_node",
    "ntasks_per_gpu",
    "ntasks_per_tres",
    "gpus_per_task",
    "nodes",
    "extra_node_info",
];

/// Returns what keeps a submission from being one of a workflow.
pub(crate) fn problem(entry: &TaskEntry, options: &OptionSet) -> Option<String> {
    if entry.kind != TaskKind::Workflow || !options.size().takes_several_processes() {
        return None;
    }
    let key = SEVERAL.iter().find(|key| given(options, key));
    let what = key.map_or_else(|| options.extras().join(" "), |key| format!("`{key}`"));
    Some(format!("{what}: a workflow is one process; give {what} to the jobs that it submits"))
}
