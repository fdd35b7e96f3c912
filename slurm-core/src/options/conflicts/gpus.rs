//! Numbers of GPUs against each other, against tasks and against nodes.
//!
//! Slurm's source: `_test_gres_cnt`, `gres_job_state_validate` in `src/common/gres.c`
//! (`src/interfaces/gres.c` from 23.02 on). Numbers are compared within one type of GPU.

use std::collections::BTreeMap;

use super::view::View;
use super::{Conflict, mismatch};
use crate::options::types::{Gpus, Gres, TresItem, TresPerTask};

/// What was asked for of one type of GPU, with the option that asked.
#[derive(Clone, Copy, Default)]
struct Wanted {
    job: Option<u64>,
    node: Option<(u64, &'static str)>,
    socket: Option<u64>,
    task: Option<(u64, &'static str)>,
}

pub(super) fn check(view: &View<'_>, found: &mut Vec<Conflict>) {
    sharing(view, found);
    two_ways_per_node(view, found);
    for wanted in by_type(view).values() {
        // Slurm refuses one way of counting at a time; one message is enough.
        let before = found.len();
        per_node(view, wanted, found);
        if found.len() == before {
            per_task(view, wanted, found);
        }
    }
    tasks_per_gpu(view, found);
}

/// The numbers asked for, by type; the empty name stands for any type.
fn by_type(view: &View<'_>) -> BTreeMap<String, Wanted> {
    let mut all: BTreeMap<String, Wanted> = BTreeMap::new();
    for (key, kind, count) in requests(view).into_iter().filter(|(_, _, count)| *count > 0) {
        let wanted = all.entry(kind.unwrap_or_default()).or_default();
        match key {
            "gpus" => wanted.job = Some(count),
            "gpus_per_socket" => wanted.socket = Some(count),
            "gres" | "gpus_per_node" => wanted.node = Some((count, key)),
            _ => wanted.task = Some((count, key)),
        }
    }
    all
}

/// Which option asks for how many GPUs of which type; of two for the same the later one counts.
fn requests(view: &View<'_>) -> Vec<(&'static str, Option<String>, u64)> {
    let mut requests = Vec::new();
    for item in view.gres().iter().flat_map(Gres::items).filter(|item| item.name == "gpu") {
        requests.push(("gres", item.kind.clone(), item.count));
    }
    for item in view.tres_per_task().iter().flat_map(TresPerTask::items) {
        if let TresItem::Gres(item) = item
            && item.name == "gpu"
        {
            requests.push(("tres_per_task", item.kind.clone(), item.count));
        }
    }
    for key in ["gpus", "gpus_per_node", "gpus_per_socket", "gpus_per_task"] {
        for item in view.gpus(key).iter().flat_map(Gpus::items) {
            requests.push((key, item.kind.clone(), item.count));
        }
    }
    requests
}

fn sharing(view: &View<'_>, found: &mut Vec<Conflict>) {
    let Some(gres) = view.gres() else { return };
    let Some(share) = ["mps", "shard"].into_iter().find(|name| gres.total(name) > 0) else {
        return;
    };
    if let Some(key) = view.asks_for_gpus() {
        mismatch(
            found,
            ("gres", key),
            format!("`gres` asks for shares of GPUs ({share}) and `{key}` for whole ones"),
            "ask for one of them",
        );
    } else if view.has("gpu_freq") {
        mismatch(
            found,
            ("gres", "gpu_freq"),
            format!("the frequency of a GPU cannot be set with shares of it ({share})"),
            "ask for whole GPUs, or leave `gpu_freq` out",
        );
    }
}

fn two_ways_per_node(view: &View<'_>, found: &mut Vec<Conflict>) {
    let in_gres = view.gres().is_some_and(|gres| gres.total("gpu") > 0);
    if in_gres && view.has("gpus_per_node") {
        mismatch(
            found,
            ("gres", "gpus_per_node"),
            "`gres` and `gpus_per_node` both set the GPUs of a node".to_owned(),
            "Slurm keeps one of them silently, and 26.05 refuses both; take the GPUs out of one",
        );
    }
}

fn per_node(view: &View<'_>, wanted: &Wanted, found: &mut Vec<Conflict>) {
    if let (Some(job), Some((node, key))) = (wanted.job, wanted.node) {
        if job % node != 0 {
            let message = format!("{job} GPUs in all are not a multiple of {node} on each node");
            return mismatch(found, ("gpus", key), message, "make it a multiple, or drop one");
        }
        if let Some((least, most)) = view.nodes()
            && !(least..=most).contains(&(job / node))
        {
            let message = format!(
                "{job} GPUs with {node} on each node take {} nodes, not {}",
                job / node,
                span(least, most)
            );
            return mismatch(found, (key, "nodes"), message, "leave one of the three out");
        }
    }
    if let (Some(job), Some((least, _))) = (wanted.job, view.nodes())
        && job < least
    {
        let message = format!("{job} GPUs cannot be spread over {least} nodes");
        return mismatch(found, ("gpus", "nodes"), message, "ask for fewer nodes or more GPUs");
    }
    let Some(socket) = wanted.socket else { return };
    let sockets = view.number("sockets_per_node");
    if let Some((node, key)) = wanted.node {
        if node % socket != 0 {
            let message = format!("{node} GPUs per node are not a multiple of {socket} per socket");
            mismatch(found, (key, "gpus_per_socket"), message, "make it a multiple, or drop one");
        } else if let Some(sockets) = sockets
            && sockets != node / socket
        {
            let message = format!(
                "{node} GPUs per node with {socket} per socket take {} sockets, not {sockets}",
                node / socket
            );
            mismatch(found, (key, "sockets_per_node"), message, "leave one of the three out");
        }
    } else if let Some(job) = wanted.job
        && socket > job
    {
        let message = format!("{socket} GPUs per socket are more than {job} in all");
        mismatch(found, ("gpus", "gpus_per_socket"), message, "ask for fewer per socket");
    }
}

fn per_task(view: &View<'_>, wanted: &Wanted, found: &mut Vec<Conflict>) {
    let Some((task, key)) = wanted.task else {
        return;
    };
    if let Some(job) = wanted.job {
        if job % task != 0 {
            let message = format!("{job} GPUs in all are not a multiple of {task} for each task");
            return mismatch(found, ("gpus", key), message, "make it a multiple, or drop one");
        }
        if let Some(tasks) = view.number("ntasks")
            && tasks != job / task
        {
            let message = format!(
                "{job} GPUs with {task} for each task make {} tasks, not {tasks}",
                job / task
            );
            return mismatch(found, (key, "ntasks"), message, "leave one of the three out");
        }
    }
    if let Some((node, node_key)) = wanted.node {
        if node % task != 0 {
            let message =
                format!("{node} GPUs per node are not a multiple of {task} for each task");
            return mismatch(found, (node_key, key), message, "make it a multiple, or drop one");
        }
        if let Some(tasks) = view.number("ntasks_per_node")
            && tasks != node / task
        {
            let message = format!(
                "{node} GPUs per node with {task} for each task make {} tasks per node, not {tasks}",
                node / task
            );
            return mismatch(
                found,
                (key, "ntasks_per_node"),
                message,
                "leave one of the three out",
            );
        }
    }
    if let Some(socket) = wanted.socket {
        if socket % task != 0 {
            let message = format!("{socket} GPUs per socket are not a multiple of {task} per task");
            mismatch(found, ("gpus_per_socket", key), message, "make it a multiple, or drop one");
        } else if let Some(tasks) = view.number("ntasks_per_socket")
            && tasks != socket / task
        {
            let message = format!(
                "{socket} GPUs per socket with {task} for each task make {} tasks per socket, not \
                 {tasks}",
                socket / task
            );
            mismatch(found, (key, "ntasks_per_socket"), message, "leave one of the three out");
        }
    }
}

fn tasks_per_gpu(view: &View<'_>, found: &mut Vec<Conflict>) {
    if let (Some(gpu), Some(tres)) = (view.number("ntasks_per_gpu"), view.number("ntasks_per_tres"))
        && gpu != tres
    {
        let message = format!("`ntasks_per_gpu` is {gpu} and `ntasks_per_tres` {tres}");
        let hint = "they mean the same; drop `ntasks_per_tres`";
        mismatch(found, ("ntasks_per_gpu", "ntasks_per_tres"), message, hint);
    }
    for key in ["ntasks_per_gpu", "ntasks_per_tres"] {
        if let (Some(per_gpu), Some(tasks)) = (view.number(key), view.number("ntasks"))
            && view.asks_for_gpus().is_none()
            && per_gpu > 0
            && tasks % per_gpu != 0
        {
            let message = format!("{tasks} tasks are not a multiple of {per_gpu} for each GPU");
            mismatch(found, (key, "ntasks"), message, "make it a multiple, or drop one");
        }
    }
}

fn span(least: u64, most: u64) -> String {
    if least == most { least.to_string() } else { format!("{least} to {most}") }
}
