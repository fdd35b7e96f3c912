//! Sampling intervals: `validate_acctg_freq` of `src/common/proc_args.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, write_list};
use crate::options::suggest::without_part;
use crate::options::text::{Text, is_space};

/// How often, in seconds, each kind of use is sampled; 0 switches sampling off.
///
/// `task`, `energy`, `network`, `filesystem`, each with `=seconds`, joined by commas; a number
/// alone is for tasks.
///
/// Slurm's source: `validate_acctg_freq` in `src/common/proc_args.c`, `acct_gather_parse_freq` in
/// `src/common/slurm_acct_gather.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AcctgFreq {
    items: Vec<(&'static str, u16)>,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`task`, `energy`, `network` or `filesystem`, each with `=seconds`, joined by commas",
    example: "task=30,energy=10",
    details: "Whole seconds, at most 65533; 0 switches the sampling off. A number alone is for tasks.",
    canonical: |text| Ok(AcctgFreq::read(text)?.to_string()),
    separator: Some(","),
    words: KINDS,
    nearby: |value, fault| vec![value.replace(':', "="), without_part(value, fault)],
    ..Grammar::ANY
};

const KINDS: &[&str] = &["task", "energy", "network", "filesystem"];
/// The controller keeps the seconds in 16 bits.
const MAX_SECONDS: u64 = 65_533;

impl AcctgFreq {
    /// Returns the kinds and their seconds in the order written.
    #[must_use]
    pub fn items(&self) -> &[(&'static str, u16)] {
        &self.items
    }

    /// Reads a list of intervals.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Ok(Self { items: text.items(b',', "no interval is given", item)? })
    }
}

/// The kind and its seconds.
fn item(part: Text<'_>) -> Result<(&'static str, u16), Fault> {
    let (kind, value) = match part.split_once(b'=') {
        Some((name, value)) => match name.position_in(KINDS) {
            Some(index) => (KINDS[index], value),
            None => {
                return Err(name.is_fault(
                    "not something that is sampled; expected task, energy, network or filesystem",
                ));
            }
        },
        None => ("task", part),
    };
    if value.is_empty() {
        return Err(part.fault("the seconds after `=` are missing"));
    }
    if value.byte(0) == b'-' {
        return Err(value.is_fault("negative; an interval is a whole number of seconds"));
    }
    let length = value.leading_digits();
    if length == 0 {
        return Err(match value.find(b':') {
            Some(_) => part.fault("`=` stands between what is sampled and its seconds"),
            None => value.is_fault("not a whole number of seconds"),
        });
    }
    if length < value.len() {
        let rest = value.skip(length);
        return Err(if is_space(rest.byte(0)) {
            rest.fault("nothing may follow the seconds, not even a blank")
        } else {
            rest.is_fault("not part of the seconds (sbatch would ignore it)")
        });
    }
    match digits(value)? {
        seconds if seconds > MAX_SECONDS => {
            Err(value.is_fault("too long an interval (65533 seconds is the most)"))
        }
        seconds => Ok((kind, seconds as u16)),
    }
}

typed!(AcctgFreq, AcctgFreq);

impl fmt::Display for AcctgFreq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, ",", self.items.iter().map(|(kind, seconds)| format!("{kind}={seconds}")))
    }
}
