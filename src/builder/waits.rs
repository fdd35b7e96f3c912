//! Dependencies of a job, beside the jobs whose results it takes.

use std::time::Duration;

use slurm_core::options::DependencyKind;
use slurm_core::task::Task;

use super::JobBuilder;
use crate::builder::ArrayBuilder;
use crate::edges::Awaitable;
use crate::model::Edge;

macro_rules! waits {
    ($($builder:ty)*) => {$(
        /// Dependencies, beside the jobs whose results the job takes.
        impl<T: Task> $builder {
            /// Runs the job only after `job` has succeeded: all of it, if it is an array. If `job` fails, this
            /// one ends as [`DependencyFailed`](crate::JobErrorKind::DependencyFailed). If some items of an
            /// array were retried while others still run for the first time, all must have ended, and the
            /// retried ones must have succeeded.
            ///
            /// The exit code decides. A task that ends its process with code 0 (`std::process::exit(0)`) has no
            /// value, so its job fails. For this dependency it counts as success; a job that takes the value
            /// does not run.
            pub fn after(mut self, job: &impl Awaitable) -> Self {
                self.options.edges.extend(job.edges(DependencyKind::AfterOk));
                self
            }

            /// Runs the job after `job` has ended, with or without success.
            pub fn after_any(mut self, job: &impl Awaitable) -> Self {
                self.options.edges.extend(job.edges(DependencyKind::AfterAny));
                self
            }

            /// Runs the job only after `job` has failed. An array has failed if any element has failed. An
            /// array that takes several Slurm arrays is not accepted.
            pub fn after_not_ok(mut self, job: &impl Awaitable) -> Self {
                self.options.edges.extend(job.edges(DependencyKind::AfterNotOk));
                self
            }

            /// Runs the job when `job` has started and `delay` has passed. Slurm counts in minutes, so the
            /// delay is rounded up.
            pub fn after_start(mut self, job: &impl Awaitable, delay: Duration) -> Self {
                let minutes = Some(delay.as_secs().div_ceil(60)).filter(|minutes| *minutes > 0);
                let edges = job.edges(DependencyKind::After).into_iter();
                self.options.edges.extend(edges.map(|edge| Edge { minutes, ..edge }));
                self
            }

            /// Runs the job only while no other job of the same name and user runs.
            pub fn singleton(self) -> Self {
                self.set("dependency", "singleton")
            }
        }
    )*};
}

waits!(JobBuilder<T> ArrayBuilder<'_, T>);
