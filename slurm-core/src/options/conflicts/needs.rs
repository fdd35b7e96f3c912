//! Options that are refused without another one.
//!
//! Slurm's source: `gres_job_state_validate` in `src/common/gres.c`, `_valid_batch_features` in
//! `src/slurmctld/job_scheduler.c`.

use super::view::View;
use super::{Conflict, ConflictKind};

pub(super) fn check(view: &View<'_>, found: &mut Vec<Conflict>) {
    let gpus = view.asks_for_gpus().is_some();
    let tasks_per_gpu = view.has("ntasks_per_gpu") || view.has("ntasks_per_tres");
    // A fixed number of nodes gives Slurm a number of tasks.
    let fixed_nodes = view.nodes().is_some_and(|(least, most)| least == most);
    let tasks = view.has("ntasks")
        || (fixed_nodes && (view.has("ntasks_per_node") || !view.has("cpus_per_task")));
    let mut need = |first, second, message: &str, hint: &str| {
        found.push(Conflict {
            first,
            second,
            kind: ConflictKind::Needs,
            message: message.to_owned(),
            hint: hint.to_owned(),
        });
    };
    for key in ["mem_per_gpu", "cpus_per_gpu"] {
        if view.has(key) && !gpus && !(tasks_per_gpu && tasks) {
            need("gpus", key, &format!("`{key}` needs a request for GPUs"), "set `gpus`");
        }
    }
    for key in ["ntasks_per_gpu", "ntasks_per_tres"] {
        if view.has(key) && !gpus && !view.has("ntasks") && !fixed_nodes {
            let message = format!("`{key}` needs a request for GPUs, or a number of tasks");
            need("gpus", key, &message, "set `gpus`, `ntasks` or `nodes`");
        }
    }
    if view.has("gpus_per_task") && !view.has("gpus") && !tasks {
        let message = "`gpus_per_task` needs the number of tasks or of GPUs";
        need("ntasks", "gpus_per_task", message, "set `ntasks` or `gpus`");
    }
    if view.has("gpus_per_socket") && !view.has("sockets_per_node") {
        let message = "`gpus_per_socket` needs the number of sockets";
        need("sockets_per_node", "gpus_per_socket", message, "set `sockets_per_node`");
    }
    if view.has("batch") && !view.has("constraint") {
        let message = "`batch` names a part of `constraint`, which is not set";
        need("constraint", "batch", message, "set `constraint`");
    }
}
