//! Dependencies between jobs.

use slurm_core::options::DependencyKind;

use crate::array::JobArray;
use crate::job::Job;

/// A job or an array that others can wait for: a [`Job`] or a [`JobArray`].
///
/// An array is one dependency, whatever the number of its elements. [`as_completed`](crate::as_completed) and
/// [`wait_any`](crate::wait_any) take `&dyn Awaitable`.
pub trait Awaitable: sealed::Sealed {}

impl<T> Awaitable for Job<T> {}
impl<T> Awaitable for JobArray<T> {}

pub(crate) mod sealed {
    use std::sync::Arc;

    use super::{DependencyKind, Job, JobArray};
    use crate::cluster::Cluster;
    use crate::model::Edge;
    use crate::poll::Subject;

    pub trait Sealed {
        /// Returns the dependency edges to this.
        #[doc(hidden)]
        fn edges(&self, kind: DependencyKind) -> Vec<Edge>;

        #[doc(hidden)]
        fn watched(&self) -> Watched<'_>;
    }

    /// The parts that a wait needs.
    #[derive(Debug)]
    pub struct Watched<'a> {
        pub(crate) cluster: &'a Cluster,
        pub(crate) task: &'a str,
        pub(crate) subject: Arc<dyn Subject>,
    }

    impl<T> Sealed for Job<T> {
        fn edges(&self, kind: DependencyKind) -> Vec<Edge> {
            vec![self.edge(kind)]
        }

        fn watched(&self) -> Watched<'_> {
            let task = &self.handle().task;
            Watched { cluster: self.cluster(), task, subject: self.subject() }
        }
    }

    impl<T> Sealed for JobArray<T> {
        fn edges(&self, kind: DependencyKind) -> Vec<Edge> {
            self.reference().edges(kind)
        }

        fn watched(&self) -> Watched<'_> {
            let task = &self.handle().task;
            Watched { cluster: self.cluster(), task, subject: self.subject() }
        }
    }
}
