//! Options that exclude each other whatever their values are.
//!
//! Slurm's source: `validate_options_salloc_sbatch_srun` in `src/common/slurm_opt.c`, `_opt_verify`
//! in `src/sbatch/opt.c`.

/// Pairs that exclude each other, with the advice to give.
pub(super) const PAIRS: &[(&str, &str, &str)] = &[
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
    // With `exclusive=oversubscribe` both say the same.
    ("exclusive", "oversubscribe", "share the nodes or do not"),
];
const MEMORY: &str = "keep one of `mem`, `mem_per_cpu` and `mem_per_gpu`";
const TASKS_PER_GPU: &str = "tasks follow from the GPUs here; leave the other one out";
const HINT: &str = "sbatch drops the hint beside it; keep one of them";

/// Returns the keys of the options that this one excludes.
pub(super) fn partners(key: &str) -> impl Iterator<Item = &'static str> {
    PAIRS.iter().filter_map(move |&(first, second, _)| match key {
        _ if key == first => Some(second),
        _ if key == second => Some(first),
        _ => None,
    })
}
