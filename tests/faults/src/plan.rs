//! The plan of a round: a workload and a schedule of faults. The seed determines both.

mod schedule;
mod workload;

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(crate) use schedule::{Answer, CALLS, Cut, Damage, Fault, Fixed, Stop, Timed};
pub(crate) use workload::{Call, Deed, Unit, Work};

/// The kinds of rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Suite {
    /// The embedded backend, with killed processes, full disks and damaged files.
    Local,
    /// A real Slurm, whose commands fail, hang and give wrong answers.
    Slurm,
    /// The same Slurm over SSH, with connections that are cut or freeze.
    Ssh,
    /// The same Slurm while its daemons are killed and started again.
    Daemons,
    /// The same Slurm, with jobs in a directory that behaves on the nodes like one of NFS.
    SharedFs,
}

impl Suite {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Slurm => "slurm",
            Self::Ssh => "ssh",
            Self::Daemons => "daemons",
            Self::SharedFs => "shared-fs",
        }
    }

    /// Whether Slurm runs the jobs.
    pub(crate) fn is_slurm(self) -> bool {
        self != Self::Local
    }

    /// The longest time until all clients of a round have ended. Slurm starts jobs once a second and requeued
    /// jobs after six seconds, and a wait accepts an end without a result after a minute.
    pub(crate) fn longest(self) -> Duration {
        Duration::from_secs(if self.is_slurm() { 400 } else { 150 })
    }
}

/// A round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) suite: Suite,
    pub(crate) seed: u64,
    /// The number of processes that submit.
    pub(crate) clients: usize,
    pub(crate) units: Vec<Unit>,
    /// The faults, ordered by step.
    pub(crate) faults: Vec<Timed>,
    /// The conditions of the whole round.
    pub(crate) fixed: Fixed,
}

impl Plan {
    /// Returns the plan of a seed, which is always the same.
    pub(crate) fn new(suite: Suite, seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ (suite as u64) << 56);
        let clients = rng.usize(1..=2);
        let units = workload::units(suite, clients, &mut rng);
        let fixed = Fixed::new(suite, &mut rng);
        let faults = schedule::faults(suite, &units, &fixed, &mut rng);
        Self { suite, seed, clients, units, faults, fixed }
    }

    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_plan() {
        for suite in [Suite::Local, Suite::Slurm, Suite::Ssh, Suite::Daemons, Suite::SharedFs] {
            for seed in 0..50 {
                assert_eq!(Plan::new(suite, seed), Plan::new(suite, seed));
            }
            assert_ne!(Plan::new(suite, 1), Plan::new(suite, 2));
        }
    }
}
