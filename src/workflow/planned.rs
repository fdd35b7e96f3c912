//! Calls of workflow functions for a plan. Their submissions are recorded and not sent.

use std::cell::RefCell;

use crate::cluster::Cluster;

thread_local! {
    /// The cluster of the workflow that this thread is planning.
    static PLANNED: RefCell<Option<Cluster>> = const { RefCell::new(None) };
}

/// Returns the cluster of the workflow that this thread is planning, if it is planning one.
pub(super) fn cluster() -> Option<Cluster> {
    PLANNED.with_borrow(Clone::clone)
}

/// Calls a workflow, which must not panic, with `cluster` as its cluster.
pub(crate) fn call<R>(cluster: Cluster, workflow: impl FnOnce() -> R) -> R {
    let outer = PLANNED.replace(Some(cluster));
    let returned = workflow();
    PLANNED.set(outer);
    returned
}
