//! Priorities: `arg_set_nice` and `arg_set_priority` of `src/common/slurm_opt.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::text::Text;

/// By how much a job's priority is lowered; negative values raise it and are for operators.
///
/// sbatch ignores whatever follows the number, and reads 0 where there is none; here the whole
/// value must be a number between ±2,147,483,645.
///
/// Slurm's source: `arg_set_nice` in `src/common/slurm_opt.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nice(i32);

const MAX_NICE: u64 = 2_147_483_645;

pub(crate) const NICE: Grammar = Grammar {
    expected: "a whole number between -2147483645 and 2147483645",
    example: "100",
    canonical: |text| Ok(Nice::read(text)?.to_string()),
    integers: Some((-(MAX_NICE as i128), MAX_NICE as i128)),
    ..Grammar::ANY
};

impl Nice {
    /// Returns the adjustment.
    #[must_use]
    pub const fn adjustment(self) -> i32 {
        self.0
    }

    /// Reads an adjustment.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let body = text.trim_start();
        let (negative, number) = match body.byte(0) {
            b'-' => (true, body.skip(1)),
            b'+' => (false, body.skip(1)),
            _ => (false, body),
        };
        let value = whole(text, number)?;
        if value > MAX_NICE {
            return Err(text.fault("out of range: the most is 2147483645 either way"));
        }
        Ok(Self(if negative { -(value as i32) } else { value as i32 }))
    }
}

typed!(Nice, Nice);

impl fmt::Display for Nice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A job's priority: a number, or the top of the user's own jobs.
///
/// sbatch ignores whatever follows the number, and takes 0 for "not set"; both are refused here.
///
/// Slurm's source: `arg_set_priority` in `src/common/slurm_opt.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Priority {
    /// Before the other jobs of this user.
    Top,
    /// This priority, from 1 to 4,294,967,293.
    Value(u32),
}

const MAX_PRIORITY: u64 = 4_294_967_293;

pub(crate) const PRIORITY: Grammar = Grammar {
    expected: "`TOP` or a whole number from 1 to 4294967293",
    example: "100",
    canonical: |text| Ok(Priority::read(text)?.to_string()),
    integers: Some((1, MAX_PRIORITY as i128)),
    ..Grammar::ANY
};

impl Priority {
    /// Reads a priority.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        if text.is_any_case("TOP") {
            return Ok(Self::Top);
        }
        let body = text.trim_start();
        if body.byte(0) == b'-' {
            return Err(text.fault("a priority cannot be negative"));
        }
        match whole(text, body.without(b'+'))? {
            0 => Err(text.fault("0 is no priority to sbatch; use `hold` to hold the job")),
            value if value > MAX_PRIORITY => {
                Err(text.fault("out of range: the highest priority is 4294967293"))
            }
            value => Ok(Self::Value(value as u32)),
        }
    }
}

/// A number that must be all there is; sbatch's `strtoll` would ignore the rest.
fn whole(text: Text<'_>, number: Text<'_>) -> Result<u64, Fault> {
    let length = number.leading_digits();
    if length == 0 {
        return Err(text.is_fault("not a number (sbatch would read 0)"));
    }
    if length < number.len() {
        return Err(number.skip(length).is_fault("not part of a number (sbatch would ignore it)"));
    }
    digits(number)
}

typed!(Priority, Priority);

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Top => f.write_str("TOP"),
            Self::Value(value) => write!(f, "{value}"),
        }
    }
}
