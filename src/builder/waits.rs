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
        /// What the job waits for, beside the jobs whose results it takes.
        impl<T: Task> $builder {
            /// Runs the job only after `job` has succeeded: all of it, if it is an array. If that fails, this
            /// one ends as [`DependencyFailed`](crate::JobErrorKind::DependencyFailed). Of an array of which some
            /// items are tried again while others run for the first time, all have to have ended, and those
            /// that are tried again have to have succeeded.
            ///
            /// The exit code decides. A task that ends its process with code 0 (`std::process::exit(0)`) has no
            /// value, and its job fails, but for what only waits for the job it counts as success. What takes the
            /// value does not run.
            pub fn after(mut self, job: &impl Awaitable) -> Self {
                self.options.edges.extend(job.edges(DependencyKind::AfterOk));
                self
            }

            /// Runs the job after `job` has ended, however it ended.
            pub fn after_any(mut self, job: &impl Awaitable) -> Self {
                self.options.edges.extend(job.edges(DependencyKind::AfterAny));
                self
            }

            /// Runs the job only after `job` has failed; an array has if any element has. One that takes several
            /// Slurm arrays cannot be waited for like this.
            pub fn after_not_ok(mut self, job: &impl Awaitable) -> Self {
                self.options.edges.extend(job.edges(DependencyKind::AfterNotOk));
                self
            }

            /// Runs the job once `job` has started, `delay` later; Slurm counts in minutes, rounded up.
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
