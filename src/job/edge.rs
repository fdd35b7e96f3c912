//! A job as a dependency of another one.

use slurm_core::options::DependencyKind;

use super::Job;
use crate::model::Edge;

impl<T> Job<T> {
    /// Returns the edge of a job that waits for this one.
    pub(crate) fn edge(&self, kind: DependencyKind) -> Edge {
        Edge {
            kind,
            job: self.id(),
            minutes: None,
            task: self.handle().task.clone(),
            dir: self.handle().dir.clone(),
            backend: self.cluster().backend().place(),
            items: None,
            carries_result: false,
            element: None,
            known_at: self.known_at(),
            ended_as: self.ended_as(),
            elements: None,
            is_planned: self.cluster().is_planned(),
        }
    }
}
