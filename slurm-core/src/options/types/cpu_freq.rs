//! Frequencies of processors: `cpu_freq_verify_cmdline` of `src/common/cpu_frequency.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::suggest::{leading_number, swapped};
use crate::options::text::Text;

/// The frequencies of processors, in kHz, and who governs them.
///
/// `p1[-p2][:governor]` or a governor alone; `p1` and `p2` are `low`, `medium`, `high`, `highm1` or
/// kHz. Words may be shortened, governors from their first letters on (`perf`). Only governors in
/// the cluster's `CpuFreqGovernors` are allowed. A range without governor is refused from 23.11 on
/// unless the cluster sets `CpuFreqDef`; one frequency with `UserSpace` needs 23.11.
///
/// Slurm's source: `cpu_freq_verify_cmdline` in `src/common/cpu_frequency.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CpuFreq {
    /// The only or lowest frequency.
    pub low: Option<CpuClock>,
    /// The highest frequency.
    pub high: Option<CpuClock>,
    /// Who governs them.
    pub governor: Option<Governor>,
}

/// A frequency of processors. Ordered as Slurm compares them: any number is below the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CpuClock {
    /// So many kHz.
    Khz(u32),
    /// The lowest.
    Low,
    /// The middle of the range.
    Medium,
    /// The highest.
    High,
    /// The second highest.
    HighM1,
}

/// A governor of processor frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Governor {
    /// `Conservative`.
    Conservative,
    /// `OnDemand`.
    OnDemand,
    /// `Performance`.
    Performance,
    /// `PowerSave`.
    PowerSave,
    /// `SchedUtil`, from 21.08.
    SchedUtil,
    /// `UserSpace`.
    UserSpace,
}

/// Governors, the letters that sbatch needs of each, and the full word.
const GOVERNORS: &[(Governor, &str, &str)] = &[
    (Governor::Conservative, "co", "Conservative"),
    (Governor::OnDemand, "onde", "OnDemand"),
    (Governor::Performance, "perf", "Performance"),
    (Governor::PowerSave, "pow", "PowerSave"),
    (Governor::SchedUtil, "sche", "SchedUtil"),
    (Governor::UserSpace, "user", "UserSpace"),
];
const CLOCKS: &[(CpuClock, &str, &str)] = &[
    (CpuClock::Low, "lo", "low"),
    (CpuClock::Medium, "med", "medium"),
    (CpuClock::HighM1, "him1", "him1"),
    (CpuClock::HighM1, "highm1", "highm1"),
    (CpuClock::High, "hi", "high"),
];
const WORDS: &[&str] = &[
    CLOCKS[0].2,
    CLOCKS[1].2,
    CLOCKS[4].2,
    CLOCKS[3].2,
    GOVERNORS[0].2,
    GOVERNORS[1].2,
    GOVERNORS[2].2,
    GOVERNORS[3].2,
    GOVERNORS[4].2,
    GOVERNORS[5].2,
];

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`low[-high][:governor]` in kHz or words, or a governor",
    example: "2000000-2400000:OnDemand",
    details: "Frequencies are whole kHz or `low`, `medium`, `high`, `highm1`; governors are \
              `Conservative`, `OnDemand`, `Performance`, `PowerSave`, `SchedUtil`, `UserSpace`, \
              as far as the cluster's `CpuFreqGovernors` allows. Words may be shortened as \
              sbatch allows (`perf`). From 23.11 on a range needs a governor unless the cluster \
              sets `CpuFreqDef`, and `UserSpace` takes one frequency instead of a range.",
    canonical: |text| Ok(CpuFreq::read(text)?.to_string()),
    words: WORDS,
    instead: |part| part.starts_with("perf").then_some("Performance"),
    nearby: |value, _| nearby(value),
    ..Grammar::ANY
};

/// Above this Slurm keeps its flags.
const MAX_KHZ: u64 = 0x7fff_ffff;

impl CpuFreq {
    /// Reads frequencies.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let (clocks, governor) = text.head(b':');
        let (first, second) = clocks.head(b'-');
        if let Some(found) = governor_of(first)? {
            if let Some(second) = governor {
                return Err(second.is_fault("a second governor"));
            }
            if second.is_some() {
                return Err(text.fault("a governor alone takes no range; it follows after `:`"));
            }
            return Ok(Self { low: None, high: None, governor: Some(found) });
        }
        let low = clock(text, first)?;
        let high = second.map(|second| clock(text, second)).transpose()?;
        if high.is_some_and(|high| high < low) {
            return Err(clocks.fault("the range is upside down: the lower frequency comes first"));
        }
        let named = |word: Text<'_>| governor_of(word)?.ok_or_else(|| word.is_fault(NO_GOVERNOR));
        let governor = governor.map(named).transpose()?;
        if high.is_none() && governor.is_some_and(|governor| governor != Governor::UserSpace) {
            return Err(text.fault("this governor needs a range of frequencies before it"));
        }
        Ok(Self { low: Some(low), high, governor })
    }
}

const NO_GOVERNOR: &str = "not a governor; expected Conservative, OnDemand, Performance, \
                           PowerSave, SchedUtil or UserSpace";

/// A governor; none if the text does not start like one.
fn governor_of(text: Text<'_>) -> Result<Option<Governor>, Fault> {
    let Some((governor, _, word)) =
        GOVERNORS.iter().find(|(_, needed, _)| text.starts_with_any_case(needed))
    else {
        return Ok(None);
    };
    if text.starts_word(word) { Ok(Some(*governor)) } else { Err(text.is_fault(NO_GOVERNOR)) }
}

fn clock(whole: Text<'_>, text: Text<'_>) -> Result<CpuClock, Fault> {
    if text.is_empty() {
        return Err(whole.fault("a frequency is missing"));
    }
    let is_it = |(_, needed, word): &&(CpuClock, &str, &str)| {
        text.starts_with_any_case(needed) && text.starts_word(word)
    };
    if let Some((clock, _, _)) = CLOCKS.iter().find(is_it) {
        return Ok(*clock);
    }
    if !text.byte(0).is_ascii_digit() {
        return Err(
            text.is_fault("neither a frequency (low, medium, high, highm1 or kHz) nor a governor")
        );
    }
    if !text.is_digits() {
        return Err(text.is_fault("not a frequency: whole kHz, without a unit"));
    }
    match digits(text)? {
        0 => Err(text.fault("a frequency of zero is not possible")),
        value if value > MAX_KHZ => Err(text.is_fault("too high a frequency")),
        value => Ok(CpuClock::Khz(value as u32)),
    }
}

fn nearby(value: &str) -> Vec<String> {
    let (clocks, governor) = match value.split_once(':') {
        Some((clocks, governor)) => (clocks, format!(":{governor}")),
        None => (value, String::new()),
    };
    let mut proposals = vec![format!("{clocks}-{clocks}{governor}"), clocks.to_owned()];
    proposals.extend(swapped(clocks).map(|clocks| format!("{clocks}{governor}")));
    let in_khz = || {
        let (whole, thousandths, unit) = leading_number(clocks)?;
        let factor = match unit.to_ascii_lowercase().as_str() {
            "khz" | "k" => 1,
            "mhz" | "m" => 1_000,
            "ghz" | "g" => 1_000_000,
            _ => return None,
        };
        whole.checked_mul(factor)?.checked_add(thousandths * factor / 1_000)
    };
    proposals.extend(in_khz().map(|khz| format!("{khz}{governor}")));
    proposals
}

typed!(CpuFreq, CpuFreq);

impl fmt::Display for CpuFreq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut colon = "";
        if let Some(low) = self.low {
            write!(f, "{low}")?;
            colon = ":";
        }
        if let Some(high) = self.high {
            write!(f, "-{high}")?;
        }
        let named = GOVERNORS.iter().find(|(governor, _, _)| Some(*governor) == self.governor);
        match named {
            Some((_, _, word)) => write!(f, "{colon}{word}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for CpuClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Khz(khz) => write!(f, "{khz}"),
            Self::Low => f.write_str("low"),
            Self::Medium => f.write_str("medium"),
            Self::High => f.write_str("high"),
            Self::HighM1 => f.write_str("highm1"),
        }
    }
}
