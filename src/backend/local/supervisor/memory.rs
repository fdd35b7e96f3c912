//! Enforces the memory limits of jobs.
//!
//! Few users may make control groups, so the memory of the processes is polled instead, as Slurm does with
//! `JobAcctGatherParams=OverMemoryKill`.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::identity;
use super::scheduler::Scheduler;

/// How often to look.
const PAUSE: Duration = Duration::from_millis(200);

impl Scheduler {
    /// Returns when to look at the memory of jobs again, if any of them has a limit.
    pub(super) fn memory_alarm(&self) -> Option<Instant> {
        let limited = self.limited().next().is_some();
        limited.then(|| self.memory_seen_at.map_or_else(Instant::now, |at| at + PAUSE))
    }

    /// Ends the jobs that use more memory than they may.
    pub(super) fn end_what_takes_too_much(&mut self) {
        if self.memory_alarm().is_none_or(|alarm| alarm > Instant::now()) {
            return;
        }
        self.memory_seen_at = Some(Instant::now());
        // By group, because each process of a job leads one.
        let mut jobs = HashMap::new();
        let mut limits = HashMap::new();
        for (id, limit) in self.limited() {
            let run = self.jobs.get(id).and_then(|job| job.run.as_ref());
            let processes = run.into_iter().flat_map(|run| &run.processes);
            jobs.extend(processes.map(|process| (process.identity.pid, id)));
            limits.insert(id, limit);
        }
        let mut members: HashMap<JobId, Vec<u32>> = HashMap::new();
        for (pid, job) in identity::members(&jobs) {
            members.entry(job).or_default().push(pid);
        }
        for (id, pids) in members {
            let limit = limits.get(&id).copied().unwrap_or(u64::MAX);
            let total =
                |used: fn(u32) -> Option<u64>| pids.iter().filter_map(|pid| used(*pid)).sum();
            // The cheap sum counts shared pages once for each process, so check with the exact one.
            let used: u64 = total(resident_kib);
            if used / 1024 >= limit
                && total(|pid| share_kib(pid).or_else(|| resident_kib(pid))) / 1024 >= limit
            {
                self.stop_with(id, JobState::OutOfMemory, Signal::KILL);
            }
        }
    }

    /// Returns the running jobs that have a limit, in MiB, and were not told to end.
    fn limited(&self) -> impl Iterator<Item = (JobId, u64)> {
        self.unfinished.iter().filter_map(|id| {
            let job = self.jobs.get(*id)?;
            let run = job.run.as_ref().filter(|run| run.ending.is_none())?;
            job.request.memory_is_limited.then_some((*id, run.granted.memory_mib))
        })
    }
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
