//! Options that exclude each other whatever their values are.
//!
//! Slurm's source: `validate_options_salloc_sbatch_srun` in `src/common/slurm_opt.c`, `_opt_verify`
//! in `src/sbatch/opt.c`.

use super::view::View;
use super::{Conflict, ConflictKind};

/// Pairs that exclude each other, with what to do.
const PAIRS: &[(&str, &str, &str)] = &[
    ("mem", "mem_per_cpu", MEMORY),
    ("mem", "mem_per_gpu", MEMORY),
    ("mem_per_cpu", "mem_per_gpu", MEMORY),
    ("core_spec", "thread_spec", "reserve either cores or threads"),
    ("bb", "bbf", "describe the burst buffer in one place"),
    ("requeue", "no_requeue", "keep the one that is meant"),
    ("cpus_per_gpu", "cpus_per_task", "count processors either by GPU or by task"),
    ("ntasks_per_gpu", "gpus_per_task", TASKS_PER_GPU),
    ("ntasks_per_gpu", "gpus_per_socket", TASKS_PER_GPU),
    ("ntasks_per_gpu", "ntasks_per_node", TASKS_PER_GPU),
    ("ntasks_per_gpu", "tres_per_task", TASKS_PER_GPU),
    ("ntasks_per_tres", "gpus_per_task", TASKS_PER_GPU),
    ("ntasks_per_tres", "gpus_per_socket", TASKS_PER_GPU),
    ("ntasks_per_tres", "ntasks_per_node", TASKS_PER_GPU),
    ("ntasks_per_tres", "tres_per_task", TASKS_PER_GPU),
    ("hint", "extra_node_info", HINT),
    ("hint", "ntasks_per_core", HINT),
    ("hint", "threads_per_core", HINT),
];
const MEMORY: &str = "keep one of `mem`, `mem_per_cpu` and `mem_per_gpu`";
const TASKS_PER_GPU: &str = "tasks follow from the GPUs here; leave the other one out";
const HINT: &str = "sbatch drops the hint beside it; keep one of them";

/// The options that exclude the one with this key.
pub(in crate::options) fn partners(key: &str) -> impl Iterator<Item = &'static str> {
    let pairs = PAIRS.iter().map(|&(first, second, _)| (first, second));
    pairs.chain([("exclusive", "oversubscribe")]).filter_map(move |(first, second)| {
        if first == key {
            Some(second)
        } else if second == key {
            Some(first)
        } else {
            None
        }
    })
}

pub(super) fn check(view: &View<'_>, found: &mut Vec<Conflict>) {
    for &(first, second, hint) in PAIRS {
        if view.has(first) && view.has(second) {
            exclude(found, first, second, hint);
        }
    }
    // With `exclusive=oversubscribe` both say the same.
    if view.has("exclusive")
        && view.has("oversubscribe")
        && view.text("exclusive") != Some("oversubscribe")
    {
        exclude(found, "exclusive", "oversubscribe", "share the nodes or do not");
    }
    if view.tres_per_task().is_some_and(|tres| tres.cpus().is_some()) {
        for key in ["cpus_per_gpu", "cpus_per_task"] {
            if view.has(key) {
                exclude(
                    found,
                    "tres_per_task",
                    key,
                    "take `cpu` out of `tres_per_task`, or drop it",
                );
            }
        }
    }
}

fn exclude(found: &mut Vec<Conflict>, first: &'static str, second: &'static str, hint: &str) {
    found.push(Conflict {
        first,
        second,
        kind: ConflictKind::Exclusive,
        message: format!("`{first}` and `{second}` exclude each other"),
        hint: hint.to_owned(),
    });
}
