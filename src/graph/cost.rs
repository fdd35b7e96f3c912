//! The resources that a job asks for, as far as its options tell.

use slurm_core::options::Walltime;

use crate::model::{ExplainedOption, Explanation};

/// Returns the CPUs that a job asks for, or `None` if that depends on the cluster.
pub(super) fn cpus(explanation: &Explanation) -> Option<u64> {
    let text = |key: &str| value(&explanation.options, key);
    // These options ask for whole nodes, or make the CPUs depend on something else.
    let elsewhere =
        ["exclusive", "cpus_per_gpu", "ntasks_per_gpu", "ntasks_per_core", "ntasks_per_socket"];
    if elsewhere.iter().any(|key| text(key).is_some()) {
        return None;
    }
    let number = |key: &str| text(key).map(|text| text.parse::<u64>().ok());
    // The minimum of a range like `2-4`.
    let nodes = text("nodes").map_or(Some(1), |nodes| nodes.split('-').next()?.parse().ok())?;
    let tasks = match (number("ntasks"), number("ntasks_per_node")) {
        (Some(tasks), _) => tasks?,
        (None, Some(per_node)) => per_node?.checked_mul(nodes)?,
        (None, None) => nodes,
    };
    tasks.checked_mul(number("cpus_per_task").unwrap_or(Some(1))?)
}

/// Returns the time limit of a job in seconds.
pub(super) fn time_limit(explanation: &Explanation) -> Option<u64> {
    let limit: Walltime = value(&explanation.options, "time")?.parse().ok()?;
    limit.as_limit().map(|limit| limit.as_secs())
}

fn value<'a>(options: &'a [ExplainedOption], key: &str) -> Option<&'a str> {
    let option = options.iter().find(|option| option.key == key)?;
    Some(option.value.as_deref().unwrap_or_default())
}
