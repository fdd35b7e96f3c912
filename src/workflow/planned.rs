//! Workflows whose function is called to plan: what they submit is noted, and not sent.

use std::cell::RefCell;

use crate::cluster::Cluster;

thread_local! {
    /// The cluster of the workflow that is being planned by this thread.
    static PLANNED: RefCell<Option<Cluster>> = const { RefCell::new(None) };
}

/// Returns the cluster for a workflow that is called to plan.
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
