//! Sizes of memory and disk: `str_to_mbytes` of `src/common/proc_args.c`.

use std::fmt;

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, typed};
use crate::options::suggest::{leading_number, ungrouped, without_blanks};
use crate::options::text::{Text, is_space};

/// An amount of memory in MiB, the unit that sbatch counts in.
///
/// Reads a whole number with an optional unit `K`, `M`, `G` or `T` (KiB, MiB, GiB, TiB; a `B` may
/// follow; case does not matter). No unit means MiB. `K` is rounded up to whole MiB. Zero asks
/// `--mem` for all memory of a node. Written with the largest unit that divides it.
///
/// ```
/// use slurm_core::options::Memory;
/// assert_eq!("4096".parse::<Memory>()?.to_string(), "4G");
/// assert_eq!("1500K".parse::<Memory>()?.mib(), 2);
/// # Ok::<(), slurm_core::options::InvalidValue>(())
/// ```
///
/// Slurm's source: `str_to_mbytes` in `src/common/proc_args.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Memory {
    mib: u64,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "a whole number with K, M, G or T (MiB without a unit)",
    example: "4G",
    details: "`K`, `M`, `G` and `T` are KiB, MiB, GiB and TiB, and a `B` may follow them; \
              without a unit it is MiB. KiB are rounded up to MiB.",
    canonical: |text| Ok(Memory::read(text)?.to_string()),
    integers: Some((0, i64::MAX as i128)),
    nearby: |value, _| nearby(value),
    ..Grammar::ANY
};

const KIB_IN_MIB: u64 = 1024;
const TOO_LARGE: &str = "too large: sbatch's own count of MiB overflows";

impl Memory {
    /// Returns `mib` MiB.
    #[must_use]
    pub const fn from_mib(mib: u64) -> Self {
        Self { mib }
    }

    /// Returns the number of MiB.
    #[must_use]
    pub const fn mib(self) -> u64 {
        self.mib
    }

    /// Returns the number of KiB, or `u64::MAX` if there are more.
    #[must_use]
    pub const fn kib(self) -> u64 {
        self.mib.saturating_mul(KIB_IN_MIB)
    }

    /// Reads a size.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let body = text.unsigned();
        let negative = body.byte(0) == b'-';
        let body = body.without(b'-');
        let (number, unit) = body.split_at(body.leading_digits());
        if number.is_empty() {
            return Err(text.is_fault("not a size: a whole number comes first"));
        }
        let value = digits(number)?;
        if negative && value != 0 {
            return Err(text.fault("a size cannot be negative"));
        }
        let times = |factor| value.checked_mul(factor).ok_or_else(|| text.fault(TOO_LARGE));
        let mib = match unit.byte(0) {
            0 | b'm' | b'M' => value,
            b'k' | b'K' => value.div_ceil(KIB_IN_MIB),
            b'g' | b'G' => times(KIB_IN_MIB)?,
            b't' | b'T' => times(KIB_IN_MIB * KIB_IN_MIB)?,
            _ => return Err(unit_fault(text, unit)),
        };
        if unit.len() > 2 || (unit.len() == 2 && !unit.skip(1).is_any_case("B")) {
            return Err(unit_fault(text, unit));
        }
        if mib > i64::MAX as u64 {
            return Err(text.fault(TOO_LARGE));
        }
        Ok(Self { mib })
    }
}

fn unit_fault(text: Text<'_>, unit: Text<'_>) -> Fault {
    let first = unit.byte(0);
    if is_space(first) {
        return unit.take(1).fault(if unit.trim_start().is_empty() {
            "nothing may follow the size, not even a blank"
        } else {
            "no space between number and unit"
        });
    }
    match first {
        b'.' => text.fault("a size is a whole number; use the next smaller unit"),
        b',' | b'_' => text.fault("a size has no separators between its digits"),
        b'p' | b'P' => unit.is_fault("not a unit; the largest is T"),
        b'%' => unit.is_fault("not a unit; a size is absolute, not a share of the node"),
        b'b' | b'B' => unit.is_fault("not a unit; the smallest is K"),
        _ => unit.is_fault("not a unit; expected K, M, G or T (KiB, MiB, GiB, TiB)"),
    }
}

fn nearby(value: &str) -> Vec<String> {
    let plain = ungrouped(&without_blanks(value));
    let mut proposals = vec![plain.clone()];
    let positive = plain.trim_start_matches(['-', '+']);
    if positive.ends_with(|letter: char| letter.is_ascii_alphabetic()) {
        proposals.push(positive.to_owned());
        proposals.extend(sized(positive).map(|memory| memory.to_string()));
    }
    let lower = plain.to_ascii_lowercase();
    if lower.starts_with("max") || lower == "all" || lower == "100%" {
        proposals.push("0".to_owned());
    }
    proposals.extend(lower.strip_suffix('b').map(str::to_owned));
    proposals.push(format!("1{plain}"));
    proposals
}

/// A size such as `0.5G`, `4GiB` or `2P`, rounded up to MiB.
fn sized(value: &str) -> Option<Memory> {
    let (whole, thousandths, unit) = leading_number(value)?;
    let unit = unit.to_ascii_lowercase();
    let kib = match unit.trim_end_matches("bytes").trim_end_matches("ib").trim_end_matches('b') {
        "" if unit.is_empty() => 1 << 10,
        "" => {
            let bytes = whole.checked_add(u64::from(thousandths > 0))?;
            return Some(Memory::from_mib(bytes.div_ceil(1 << 20)));
        }
        "k" => 1,
        "m" => 1 << 10,
        "g" => 1 << 20,
        "t" => 1 << 30,
        "p" => 1 << 40,
        _ => return None,
    };
    let total = whole.checked_mul(kib)?.checked_add((thousandths * kib).div_ceil(1_000))?;
    Some(Memory::from_mib(total.div_ceil(1 << 10)))
}

typed!(Memory, GRAMMAR);

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const GIB: u64 = KIB_IN_MIB;
        const TIB: u64 = KIB_IN_MIB * KIB_IN_MIB;
        match self.mib {
            0 => f.write_str("0"),
            mib if mib % TIB == 0 => write!(f, "{}T", mib / TIB),
            mib if mib % GIB == 0 => write!(f, "{}G", mib / GIB),
            mib => write!(f, "{mib}M"),
        }
    }
}
