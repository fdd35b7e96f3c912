//! Network switches: `arg_set_switches` of `src/common/slurm_opt.c`.

use super::number;
use super::walltime::{self, Walltime};
use crate::options::grammar::Grammar;

/// The most switches that a job's nodes may hang on, and how long to wait for that. sbatch does not check the time.
pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`count[@time]`",
    example: "1@24:00:00",
    details: "The time is how long to wait for so few switches, as for `time`.",
    canonical: |text| {
        let (count, wait) = text.head(b'@');
        if count.is_empty() {
            return Err(text.fault("the number of switches before `@` is missing"));
        }
        let count = (number::COUNT.canonical)(count)?;
        match wait {
            None => Ok(count),
            Some(wait) if wait.is_empty() => Err(text.fault("the time after `@` is missing")),
            Some(wait) => Ok(format!("{count}@{}", Walltime::read(wait)?)),
        }
    },
    integers: number::COUNT.integers,
    nearby: |value, _| match value.split_once('@') {
        None => number::nearby(value),
        Some((count, "")) => vec![count.to_owned()],
        Some((count, time)) => {
            walltime::nearby(time).iter().map(|time| format!("{count}@{time}")).collect()
        }
    },
    ..Grammar::ANY
};
