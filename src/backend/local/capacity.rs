//! What the machine has to give.

use super::gpus;
use super::memory::memory_mib;
use crate::backend::script::INSIDE_JOB;
use serde::{Deserialize, Serialize};

/// What jobs may use together, and what one of them asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Capacity {
    pub(crate) cpus: u32,
    pub(crate) memory_mib: u64,
    pub(crate) gpus: u32,
}

impl Capacity {
    /// Returns what this process may use, unless told otherwise.
    pub(crate) fn of_this_machine(cpus: Option<u32>, gpus: Option<u32>) -> Self {
        let available = || std::thread::available_parallelism().map_or(1, |n| n.get() as u32);
        Self {
            cpus: cpus.unwrap_or_else(available).max(1),
            memory_mib: memory_mib().unwrap_or(u64::MAX),
            gpus: gpus_of(gpus),
        }
    }

    /// Returns what a job gets that asks for `self` of a machine that has `whole`: at most all of it.
    pub(crate) fn granted_of(self, whole: Self) -> Self {
        Self {
            cpus: self.cpus.min(whole.cpus),
            memory_mib: self.memory_mib.min(whole.memory_mib),
            gpus: self.gpus.min(whole.gpus),
        }
    }

    pub(crate) fn fits_into(self, free: Self) -> bool {
        self.cpus <= free.cpus && self.memory_mib <= free.memory_mib && self.gpus <= free.gpus
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            cpus: self.cpus.saturating_add(other.cpus),
            memory_mib: self.memory_mib.saturating_add(other.memory_mib),
            gpus: self.gpus.saturating_add(other.gpus),
        }
    }

    pub(crate) fn less(self, used: Self) -> Self {
        Self {
            cpus: self.cpus.saturating_sub(used.cpus),
            memory_mib: self.memory_mib.saturating_sub(used.memory_mib),
            gpus: self.gpus.saturating_sub(used.gpus),
        }
    }
}

/// Returns how many GPUs this process may give to jobs.
fn gpus_of(given: Option<u32>) -> u32 {
    // Jobs of a workflow are not bounded by the GPUs of the workflow itself.
    match given {
        Some(given) if std::env::var_os(INSIDE_JOB).is_some() => given,
        _ => u32::try_from(gpus::of_this_process(given).len()).unwrap_or(u32::MAX),
    }
}
