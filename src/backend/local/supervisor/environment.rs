//! The variables that a job finds.

use std::time::{SystemTime, UNIX_EPOCH};

use super::job::LocalJob;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::host;

/// Returns the variables that Slurm would set for the process `rank` of a job.
pub(super) fn slurm_variables(
    job: &LocalJob,
    rank: u32,
    granted: Capacity,
    gpus: &[u32],
) -> Vec<(&'static str, String)> {
    let request = &job.request;
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let gpus = gpus.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let mut variables = vec![
        ("SLURM_JOB_ID", job.id.to_string()),
        ("SLURM_JOBID", job.id.to_string()),
        ("SLURM_JOB_NAME", request.name.clone()),
        ("SLURM_CLUSTER_NAME", "local".to_owned()),
        ("SLURM_JOB_PARTITION", "local".to_owned()),
        ("SLURM_JOB_NODELIST", host()),
        ("SLURM_NODELIST", host()),
        ("SLURMD_NODENAME", host()),
        ("SLURM_JOB_NUM_NODES", "1".to_owned()),
        ("SLURM_NNODES", "1".to_owned()),
        ("SLURM_NODEID", "0".to_owned()),
        ("SLURM_NTASKS", request.tasks.to_string()),
        ("SLURM_NPROCS", request.tasks.to_string()),
        ("SLURM_TASKS_PER_NODE", request.tasks.to_string()),
        ("SLURM_PROCID", rank.to_string()),
        ("SLURM_LOCALID", rank.to_string()),
        ("SLURM_CPUS_ON_NODE", granted.cpus.to_string()),
        ("SLURM_CPUS_PER_TASK", request.cpus_per_task.min(granted.cpus).to_string()),
        ("SLURM_MEM_PER_NODE", granted.memory_mib.to_string()),
        ("SLURM_SUBMIT_DIR", request.working_dir.display().to_string()),
        ("SLURM_JOB_START_TIME", start.to_string()),
    ];
    if let Some(limit) = request.time_limit {
        variables.push(("SLURM_JOB_END_TIME", start.saturating_add(limit).to_string()));
    }
    if !gpus.is_empty() {
        variables.push(("SLURM_JOB_GPUS", gpus.clone()));
        variables.push(("CUDA_VISIBLE_DEVICES", gpus));
    }
    variables
}
