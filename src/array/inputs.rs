//! Inputs and dependencies of retried calls.

use std::sync::Arc;

use slurm_core::options::{OptionSet, Source};
use slurm_core::spec::{Shares, Upstream};
use slurm_core::task::TaskEntry;

use super::ArrayUpstream;
use super::prepare::Settings;
use super::spool::Spooled;
use crate::cluster::Cluster;
use crate::error::{Error, Result};
use crate::model::{Edge, Explanation};
use crate::submit::CallOptions;

/// The options that say what a job waits for, beside its edges.
const OF_WAITING: [&str; 2] = ["dependency", "kill_on_invalid_dep"];

/// Inputs and dependencies of retried calls.
#[derive(Clone, Debug)]
pub(crate) struct Inputs {
    edges: Vec<Edge>,
    pub(super) upstream: Vec<Upstream>,
    /// Arrays of which each item waits for the one of its own index.
    corresponding: Vec<Arc<ArrayUpstream>>,
    /// Those of `OF_WAITING`.
    pub(super) options: OptionSet,
}

impl Inputs {
    /// Returns those of the calls of an array, as they are now.
    pub(crate) fn new(
        cluster: &Cluster,
        entry: &TaskEntry,
        spooled: &Spooled,
        call: &CallOptions,
        settings: &Settings,
    ) -> Result<Self> {
        let mut edges = spooled.edges.clone();
        // Only some of the items may be left, so elements do not correspond any more.
        let taken = spooled.taken_by_item();
        edges.extend(taken.flat_map(|(array, elements, _)| array.edges_to(elements)));
        edges.extend(call.edges.iter().cloned());
        let upstream = spooled.arrays.iter().map(|array| array.upstream.clone()).collect();
        let merged = call.merged(cluster, entry, &[], &[]);
        let merged = merged.map_err(|problems| Error::Options { problems })?;
        let mut options = OptionSet::new();
        for (spec, value, source) in merged.iter() {
            if OF_WAITING.contains(&spec.key) {
                options.set(spec, value.clone(), source);
            }
        }
        Ok(Self { edges, upstream, corresponding: settings.corresponding.clone(), options })
    }

    /// Returns those of calls that were submitted like this before and took values of `upstream`, with what was
    /// tried again since.
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

    /// Returns what the Slurm array `part` of `parts` waits for, whose items are shared out like this.
    pub(super) fn edges(&self, shares: &Shares, part: usize, parts: usize) -> Vec<Edge> {
        let corresponding = self.corresponding.iter();
        let corresponding = corresponding.flat_map(|array| array.edges_again(shares, part, parts));
        self.edges.iter().cloned().chain(corresponding).collect()
    }
}

/// Of the options that said what an array waits for, returns what holds for each attempt: jobs that it has
/// waited for are over.
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
