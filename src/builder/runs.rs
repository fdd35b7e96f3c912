//! Settings for the runs of a job: requeueing, and the lines and variables before the task.

use slurm_core::requeue::OnTimeout;
use slurm_core::task::Task;

use super::{ArrayBuilder, JobBuilder};

macro_rules! setters {
    ($($builder:ty)*) => {$(
        /// Runs that end before the work is done.
        impl<T: Task> $builder {
            /// Sets what happens when the job comes near its time limit.
            ///
            /// With [`OnTimeout::Requeue`](crate::OnTimeout::Requeue) the job is warned 60 seconds before (half of the limit where that is less, or as
            /// long as a `signal` option says), and [`stop_requested`](crate::JobContext::stop_requested) turns true. A
            /// task that then returns a value has it; one that returns [`Requeue`](crate::Requeue), or does not return
            /// before the limit, is run again under the same id. It finds its
            /// [`checkpoint_dir`](crate::JobContext::checkpoint_dir) as it left it.
            pub fn on_timeout(mut self, action: OnTimeout) -> Self {
                self.options.requeue.on_timeout = Some(action);
                self
            }

            /// Sets how often the job may be run again at its own request, 10 times by default. Beyond that it
            /// ends as [`NotRequeued`](crate::JobErrorKind::NotRequeued). What Slurm requeues by itself, after a
            /// preemption or the loss of a node, does not count.
            pub fn max_requeues(mut self, times: u32) -> Self {
                self.options.requeue.max_requeues = Some(times);
                self
            }
        }

        /// Shell lines and variables of the job before the task.
        impl<T: Task> $builder {
            /// Adds a line of shell that the job runs before the task, after the lines of the Slurmfile and of the
            /// attribute. A line that fails ends the job as [`NotStarted`](crate::JobErrorKind::NotStarted),
            /// unless it ends in `|| true`.
            pub fn setup(mut self, line: impl Into<String>) -> Self {
                self.options.setup(line.into());
                self
            }

            /// Sets an environment variable of the job.
            pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
                self.options.env(name, value.into());
                self
            }
        }
    )*};
}

setters!(JobBuilder<T> ArrayBuilder<'_, T>);
