//! Nodes, tasks, lists of nodes and how tasks are spread.
//!
//! Slurm's source: `_opt_verify` in `src/sbatch/opt.c`; `_valid_job_part`, `_job_create` in
//! `src/slurmctld/job_mgr.c`.

use std::collections::BTreeSet;

use super::view::View;
use super::{Conflict, ConflictKind, mismatch};
use crate::options::types::{Distribution, HostList, Layout};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Conflict>) {
    tasks(view, found);
    lists(view, found);
    spread(view, found);
}

fn tasks(view: &View<'_>, found: &mut Vec<Conflict>) {
    if let (Some((_, most)), Some(per_node), Some(tasks)) =
        (view.nodes(), view.number("ntasks_per_node"), view.number("ntasks"))
        && most > 0
        && tasks > most.saturating_mul(per_node)
    {
        let message =
            format!("{tasks} tasks do not fit on {most} nodes with {per_node} tasks on each");
        let key = if view.has("nodes") { "nodes" } else { "ntasks_per_node" };
        mismatch(found, (key, "ntasks"), message, "leave one of the three out");
    }
    if let (Some(threads), Some(tasks)) =
        (view.number("threads_per_core"), view.number("ntasks_per_core"))
        && tasks > threads
    {
        let message = format!("{tasks} tasks per core are more than its {threads} threads");
        let pair = ("threads_per_core", "ntasks_per_core");
        mismatch(found, pair, message, "lower `ntasks_per_core`");
    }
}

fn lists(view: &View<'_>, found: &mut Vec<Conflict>) {
    let wanted = hosts(view, "nodelist");
    if let (Some(wanted), Some((_, most))) = (&wanted, view.nodes())
        && most > 0
        && wanted.len() as u64 > most
    {
        let message = format!("`nodelist` names {} nodes and `nodes` allows {most}", wanted.len());
        let hint = "name fewer, or raise `nodes`";
        mismatch(found, ("nodelist", "nodes"), message, hint);
    }
    if let (Some(wanted), Some(unwanted)) = (&wanted, hosts(view, "exclude"))
        && let Some(both) = wanted.intersection(&unwanted).next()
    {
        let message = format!("`nodelist` asks for node `{both}` and `exclude` refuses it");
        mismatch(found, ("nodelist", "exclude"), message, "take it out of one of them");
    }
}

/// The names of a list of nodes, when they are known.
fn hosts(view: &View<'_>, key: &str) -> Option<BTreeSet<String>> {
    let list: HostList = view.typed(key)?;
    Some(list.hosts().ok()?.into_iter().collect())
}

fn spread(view: &View<'_>, found: &mut Vec<Conflict>) {
    let Some(distribution) = view.typed::<Distribution>("distribution") else {
        return;
    };
    if let (Some(plane), Some((nodes, _))) = (distribution.plane(), view.nodes()) {
        let plane = u64::from(plane);
        // sbatch counts one task when none are given.
        let tasks = view.number("ntasks").unwrap_or(1);
        let filled = nodes.saturating_sub(1).saturating_mul(plane);
        if nodes > 1 && tasks / plane < nodes && filled >= tasks {
            let message = format!("{tasks} tasks in planes of {plane} do not reach {nodes} nodes");
            let hint = "ask for more tasks (`ntasks`), fewer nodes or smaller planes";
            mismatch(found, ("distribution", "nodes"), message, hint);
        }
    }
    if distribution.layout == Layout::Arbitrary {
        if !view.has("nodelist") && !view.has("nodefile") {
            found.push(Conflict {
                first: "nodelist",
                second: "distribution",
                kind: ConflictKind::Needs,
                message: "`distribution = \"arbitrary\"` needs a list of nodes".to_owned(),
                hint: "set `nodelist` or `nodefile`".to_owned(),
            });
        } else if view.has("nodes") {
            let message = "the list of nodes alone says where tasks go".to_owned();
            let hint = "drop `nodes`; sbatch refuses it from 23.11 on";
            mismatch(found, ("distribution", "nodes"), message, hint);
        }
    }
}
