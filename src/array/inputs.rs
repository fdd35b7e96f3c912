//! Inputs and dependencies of retried calls.

use std::sync::Arc;

use slurm_core::options::{OptionSet, Source};
use slurm_core::spec::{Shares, Upstream};
use slurm_core::task::TaskEntry;

use super::ArrayUpstream;
use super::prepare::Settings;
use super::spool::Spooled;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::model::{Edge, Explanation};
use crate::submit::CallOptions;

/// The options that name dependencies, beside the edges.
const OF_WAITING: [&str; 2] = ["dependency", "kill_on_invalid_dep"];

/// Inputs and dependencies of retried calls.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    edges: Vec<Edge>,
    pub(super) upstream: Vec<Upstream>,
    /// Arrays whose item of the same index each item waits for.
    corresponding: Vec<Arc<ArrayUpstream>>,
    /// The options in `OF_WAITING`.
    pub(super) options: OptionSet,
}

impl Inputs {
    /// Returns the present inputs and dependencies of the calls of an array.
    pub(crate) fn new(
        cluster: &Cluster,
        entry: &TaskEntry,
        spooled: &Spooled,
        call: &CallOptions,
        settings: &Settings,
    ) -> Result<Self> {
        let mut edges = spooled.edges.clone();
        // Possibly only some of the items are left, so the elements no longer correspond.
        let taken = spooled.taken_by_item();
        edges.extend(taken.flat_map(|(array, elements, _)| array.edges_to(elements)));
        edges.extend(call.edges.iter().cloned());
        let upstream = spooled.arrays.iter().map(|array| array.upstream.clone()).collect();
        let merged = call.merged(cluster, entry, &[], &[])?;
        let mut options = OptionSet::new();
        for (spec, value, source) in merged.iter() {
            if OF_WAITING.contains(&spec.key) {
                options.set(spec, value.clone(), source);
            }
        }
        Ok(Self { edges, upstream, corresponding: settings.corresponding.clone(), options })
    }

    /// Returns the inputs and dependencies for a retry of calls that took values of `upstream`, including the
    /// newer attempts of those arrays.
    pub(super) fn of_before(
        cluster: &Cluster,
        mut upstream: Vec<Upstream>,
        explanation: &Explanation,
    ) -> Result<Self> {
        let later = upstream.iter_mut().map(|array| cluster.catch_up(array));
        let edges = later.collect::<Result<Vec<_>>>()?.concat();
        let options = lasting(explanation)?;
        Ok(Self { edges, upstream, corresponding: Vec::new(), options })
    }

    /// Returns the edges of the Slurm array `part` of `parts`, whose items are distributed as in `shares`.
    pub(super) fn edges(&self, shares: &Shares, part: usize, parts: usize) -> Vec<Edge> {
        let corresponding = self.corresponding.iter();
        let corresponding = corresponding.flat_map(|array| array.edges_again(shares, part, parts));
        self.edges.iter().cloned().chain(corresponding).collect()
    }
}

/// Returns the dependency options that hold for every attempt. The jobs for which the first attempt waited are
/// over, so only `singleton` and `kill_on_invalid_dep` remain.
fn lasting(explanation: &Explanation) -> Result<OptionSet> {
    let mut set = OptionSet::new();
    for option in &explanation.options {
        let Some(value) = &option.value else { continue };
        let value = match option.key.as_str() {
            "dependency" if value.split(',').any(|item| item == "singleton") => "singleton",
            "kill_on_invalid_dep" if option.set_by() != Source::Default => value,
            _ => continue,
        };
        set.put(&option.key, value, option.set_by())?;
    }
    Ok(set)
}
