//! The options whose values are words.

use super::keyword::{list_has, list_of, one_of, spelled};
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

/// A grammar of words: which there are, and how a wrong one is answered.
pub(crate) struct Words {
    words: &'static [&'static str],
    reason: &'static str,
    list: bool,
    /// Whether sbatch skips empty places of the list (`strtok`) or refuses them (`strsep`).
    gaps: bool,
    /// Words that cannot stand together, and why.
    exclusive: &'static [(&'static str, &'static str, &'static str)],
}

impl Words {
    /// Checks a value.
    pub(crate) const fn check(&self, text: Text<'_>) -> Result<(), Fault> {
        if !self.list {
            return match one_of(text, self.words, self.reason) {
                Ok(_) => Ok(()),
                Err(fault) => Err(fault),
            };
        }
        attempt!(list_of(text, self.words, self.reason, self.gaps));
        let mut index = 0;
        while index < self.exclusive.len() {
            let (first, second, reason) = self.exclusive[index];
            if list_has(text, first) && list_has(text, second) {
                return Err(text.fault(reason));
            }
            index += 1;
        }
        Ok(())
    }

    /// The value as the table of words spells it.
    pub(crate) fn canonical(&self, text: Text<'_>) -> String {
        spelled(text, self.words)
    }
}

/// `arg_set_exclusive` of `src/common/slurm_opt.c`.
pub(crate) const EXCLUSIVE: Words = Words {
    words: &["exclusive", "user", "mcs", "oversubscribe", "topo", "allocation"],
    reason: "not a way to share nodes; expected exclusive, user, mcs, oversubscribe, topo (24.05) \
             or allocation (26.05)",
    list: false,
    gaps: true,
    exclusive: &[],
};

/// `arg_set_kill_on_invalid_dep` of `src/common/slurm_opt.c`.
pub(crate) const YES_NO: Words = Words {
    words: &["yes", "no"],
    reason: "neither yes nor no",
    list: false,
    gaps: true,
    exclusive: &[],
};

/// `arg_set_no_kill` of `src/common/slurm_opt.c`.
pub(crate) const NO_KILL: Words = Words {
    words: &["set", "off", "no"],
    reason: "not a switch; expected no value, `set`, `off` or `no`",
    list: false,
    gaps: true,
    exclusive: &[],
};

/// `arg_set_requeue` of `src/common/slurm_opt.c`, from 25.11 on.
pub(crate) const REQUEUE: Words = Words {
    words: &["expedite"],
    reason: "not a way to requeue; expected no value or `expedite` (25.11)",
    list: false,
    gaps: true,
    exclusive: &[],
};

/// `parse_power` of `src/common/power.c`, up to 23.11.
pub(crate) const POWER: Words = Words {
    words: &["level"],
    reason: "not a way to manage power; expected `level` (sbatch ignores anything else)",
    list: true,
    gaps: true,
    exclusive: &[],
};

/// `arg_set_gres_flags` of `src/common/slurm_opt.c`.
pub(crate) const GRES_FLAGS: Words = Words {
    words: &[
        "disable-binding",
        "enforce-binding",
        "multiple-tasks-per-sharing",
        "one-task-per-sharing",
    ],
    reason: "not a flag for generic resources; expected disable-binding, enforce-binding, \
             multiple-tasks-per-sharing or one-task-per-sharing",
    list: true,
    gaps: true,
    exclusive: &[
        (
            "disable-binding",
            "enforce-binding",
            "disable-binding and enforce-binding exclude each other",
        ),
        (
            "multiple-tasks-per-sharing",
            "one-task-per-sharing",
            "multiple-tasks-per-sharing and one-task-per-sharing exclude each other",
        ),
    ],
};

/// `verify_hint` of `src/common/proc_args.c`.
pub(crate) const HINT: Words = Words {
    words: &["compute_bound", "memory_bound", "multithread", "nomultithread"],
    reason: "not a hint; expected compute_bound, memory_bound, multithread or nomultithread",
    list: true,
    gaps: false,
    exclusive: &[],
};

/// `acct_gather_profile_from_string` of `src/common/slurm_acct_gather_profile.c`, which looks for
/// the words anywhere in the value.
pub(crate) const PROFILE: Words = Words {
    words: &["none", "all", "energy", "task", "lustre", "network"],
    reason: "not something that is profiled; expected none, all, energy, task, lustre or network",
    list: true,
    gaps: true,
    exclusive: &[
        ("none", "all", "none switches off what stands beside it"),
        ("none", "energy", "none switches off what stands beside it"),
        ("none", "task", "none switches off what stands beside it"),
        ("none", "lustre", "none switches off what stands beside it"),
        ("none", "network", "none switches off what stands beside it"),
    ],
};
