//! Network switches: `arg_set_switches` of `src/common/slurm_opt.c`.

use std::fmt;

use super::number;
use super::typed;
use super::walltime::{self, Walltime};
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::text::Text;

/// The most switches that a job's nodes may hang on, and how long to wait for that.
///
/// `count[@time]`; sbatch does not check the time, which is refused here when it is none.
///
/// Slurm's source: `arg_set_switches` in `src/common/slurm_opt.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Switches {
    /// The most switches.
    pub count: u32,
    /// How long to wait for so few; as long as the cluster allows when it is not given.
    pub wait: Option<Walltime>,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`count[@time]`",
    example: "1@24:00:00",
    details: "The time is how long to wait for so few switches, as for `time`.",
    canonical: |text| Ok(Switches::read(text)?.to_string()),
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

impl Switches {
    /// Reads a number of switches.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let Some((count, wait)) = text.split_once(b'@') else {
            return Ok(Self { count: number::count(text)?, wait: None });
        };
        if count.is_empty() {
            return Err(text.fault("the number of switches before `@` is missing"));
        }
        let count = number::count(count)?;
        if wait.is_empty() {
            return Err(text.fault("the time after `@` is missing"));
        }
        Ok(Self { count, wait: Some(Walltime::read(wait)?) })
    }
}

typed!(Switches, Switches);

impl fmt::Display for Switches {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.count)?;
        match self.wait {
            Some(wait) => write!(f, "@{wait}"),
            None => Ok(()),
        }
    }
}
