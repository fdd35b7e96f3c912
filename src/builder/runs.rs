//! Settings for the runs of a job: requeueing, and the lines and variables before the task.

use slurm_core::requeue::OnTimeout;
use slurm_core::task::Task;

use super::{ArrayBuilder, JobBuilder};

macro_rules! setters {
    ($($builder:ty)*) => {$(
        /// What happens at the time limit.
        impl<T: Task> $builder {
            /// Sets what happens when the job comes near its time limit.
            ///
            /// With [`OnTimeout::Requeue`](crate::OnTimeout::Requeue) the job gets a warning 60 seconds before
            /// the limit (half of the limit if that is less, or the time of a `signal` option), and
            /// [`stop_requested`](crate::JobContext::stop_requested) returns true. If the task then returns a
            /// value, the job succeeds. If it returns [`Requeue`](crate::Requeue) or does not return before the
            /// limit, it is run again under the same id, and finds the contents of its
            /// [`checkpoint_dir`](crate::JobContext::checkpoint_dir) unchanged.
            pub fn on_timeout(mut self, action: OnTimeout) -> Self {
                self.options.requeue.on_timeout = Some(action);
                self
            }

            /// Limits how often the job may be run again at its own request; the default is 10. Beyond that it
            /// ends as [`NotRequeued`](crate::JobErrorKind::NotRequeued). Runs after a preemption or the loss
            /// of a node, which Slurm requeues by itself, do not count.
            pub fn max_requeues(mut self, times: u32) -> Self {
                self.options.requeue.max_requeues = Some(times);
                self
            }
        }

        /// Shell lines and variables of the job before the task.
        impl<T: Task> $builder {
            /// Adds a line of shell that the job runs before the task, after the lines of the Slurmfile and of
            /// the attribute. If a line fails, the job ends as [`NotStarted`](crate::JobErrorKind::NotStarted),
            /// unless the line ends in `|| true`.
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
