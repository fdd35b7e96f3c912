//! Network switches: `arg_set_switches` of `src/common/slurm_opt.c`.

use std::fmt;

use super::number;
use super::typed;
use super::walltime::Walltime;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

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

impl Switches {
    /// Reads a number of switches.
    pub(crate) const fn read(text: Text<'_>) -> Result<Self, Fault> {
        let Some((count, wait)) = text.split_once(b'@') else {
            return Ok(Self { count: attempt!(number::count(text)) as u32, wait: None });
        };
        if count.is_empty() {
            return Err(text.fault("the number of switches before `@` is missing"));
        }
        let count = attempt!(number::count(count)) as u32;
        if wait.is_empty() {
            return Err(text.fault("the time after `@` is missing"));
        }
        Ok(Self { count, wait: Some(attempt!(Walltime::read(wait))) })
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
