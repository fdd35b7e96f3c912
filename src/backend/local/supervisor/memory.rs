//! Measures the memory of jobs.
//!
//! Few users may make control groups, so the memory of the processes is polled instead, as Slurm does with
//! `JobAcctGatherParams=OverMemoryKill`.

use std::collections::HashMap;
use std::fs;

use slurm_core::ids::JobId;

use super::core::Limited;
use super::identity;

/// Returns the jobs that use more memory than their limit.
pub(super) fn over_limit(limited: &[Limited]) -> Vec<JobId> {
    // By group, because each process of a job leads one.
    let jobs: HashMap<u32, JobId> = limited
        .iter()
        .flat_map(|limited| limited.leaders.iter().map(|pid| (*pid, limited.job)))
        .collect();
    let mut members: HashMap<JobId, Vec<u32>> = HashMap::new();
    for (pid, job) in identity::members(&jobs) {
        members.entry(job).or_default().push(pid);
    }
    let is_over = |limited: &&Limited| {
        let pids = members.get(&limited.job).map_or(&[][..], Vec::as_slice);
        let total = |used: fn(u32) -> Option<u64>| -> u64 {
            pids.iter().filter_map(|pid| used(*pid)).sum()
        };
        // The cheap sum counts shared pages once for each process, so check with the exact one.
        total(resident_kib) / 1024 >= limited.limit_mib
            && total(|pid| share_kib(pid).or_else(|| resident_kib(pid))) / 1024 >= limited.limit_mib
    };
    limited.iter().filter(is_over).map(|limited| limited.job).collect()
}

/// Returns the memory of a process without file pages, which the kernel can free, in KiB.
fn resident_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    sum_of(&text, &["RssAnon:", "RssShmem:"]).or_else(|| sum_of(&text, &["VmRSS:"]))
}

/// Returns the same, with shared pages divided among the processes that share them.
fn share_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    sum_of(&text, &["Pss_Anon:", "Pss_Shmem:"])
}

fn sum_of(text: &str, names: &[&str]) -> Option<u64> {
    let value = |name: &&str| {
        let line = text.lines().find_map(|line| line.strip_prefix(*name))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
    };
    names.iter().map(value).sum()
}
