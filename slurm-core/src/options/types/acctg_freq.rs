//! Sampling intervals: `validate_acctg_freq` of `src/common/proc_args.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt, is_space};

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

const KINDS: &[&str] = &["task", "energy", "network", "filesystem"];
/// The controller keeps the seconds in 16 bits.
const MAX_SECONDS: u64 = 65_533;

impl AcctgFreq {
    /// Returns the kinds and their seconds in the order written.
    #[must_use]
    pub fn items(&self) -> &[(&'static str, u16)] {
        &self.items
    }

    /// Checks a list of intervals.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        let mut rest = Some(text);
        let mut found = false;
        while let Some(list) = rest {
            let (part, tail) = list.next_part(b',');
            rest = tail;
            // strtok skips empty places.
            if !part.is_empty() {
                attempt!(item(part));
                found = true;
            }
        }
        if found { Ok(()) } else { Err(text.fault("no interval is given")) }
    }

    /// Reads a list of intervals.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Self::check(text)?;
        let item = |part| item(part).map(|(kind, seconds)| (KINDS[kind], seconds));
        let items = text.parts(b',').filter(|part| !part.is_empty()).map(item);
        Ok(Self { items: items.collect::<Result<_, _>>()? })
    }
}

/// The kind, as an index, and its seconds.
const fn item(part: Text<'_>) -> Result<(usize, u16), Fault> {
    let (kind, value) = match part.split_once(b'=') {
        Some((name, value)) => match name.position_in(KINDS) {
            Some(kind) => (kind, value),
            None => {
                return Err(name.is_fault(
                    "not something that is sampled; expected task, energy, network or filesystem",
                ));
            }
        },
        None => (0, part),
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
    match attempt!(digits(value)) {
        seconds if seconds > MAX_SECONDS => {
            Err(value.is_fault("too long an interval (65533 seconds is the most)"))
        }
        seconds => Ok((kind, seconds as u16)),
    }
}

typed!(AcctgFreq, AcctgFreq);

impl fmt::Display for AcctgFreq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (kind, seconds)) in self.items.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            write!(f, "{kind}={seconds}")?;
        }
        Ok(())
    }
}
