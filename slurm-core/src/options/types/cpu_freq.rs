//! Frequencies of processors: `cpu_freq_verify_cmdline` of `src/common/cpu_frequency.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

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
/// Above this Slurm keeps its flags.
const MAX_KHZ: u64 = 0x7fff_ffff;

impl CpuFreq {
    /// Reads frequencies.
    pub(crate) const fn read(text: Text<'_>) -> Result<Self, Fault> {
        let (clocks, governor) = match text.split_once(b':') {
            Some((clocks, governor)) => (clocks, Some(governor)),
            None => (text, None),
        };
        let (first, second) = match clocks.split_once(b'-') {
            Some((first, second)) => (first, Some(second)),
            None => (clocks, None),
        };
        if let Some(found) = attempt!(governor_of(first)) {
            if let Some(second) = governor {
                return Err(second.is_fault("a second governor"));
            }
            if second.is_some() {
                return Err(text.fault("a governor alone takes no range; it follows after `:`"));
            }
            return Ok(Self { low: None, high: None, governor: Some(found) });
        }
        let low = attempt!(clock(text, first));
        let high = match second {
            Some(second) => Some(attempt!(clock(text, second))),
            None => None,
        };
        if let Some(high) = high
            && rank(high) < rank(low)
        {
            return Err(clocks.fault("the range is upside down: the lower frequency comes first"));
        }
        let governor = match governor {
            None => None,
            Some(word) => match attempt!(governor_of(word)) {
                Some(governor) => Some(governor),
                None => return Err(word.is_fault(NO_GOVERNOR)),
            },
        };
        if high.is_none()
            && let Some(governor) = governor
            && !matches!(governor, Governor::UserSpace)
        {
            return Err(text.fault("this governor needs a range of frequencies before it"));
        }
        Ok(Self { low: Some(low), high, governor })
    }
}

const NO_GOVERNOR: &str = "not a governor; expected Conservative, OnDemand, Performance, \
                           PowerSave, SchedUtil or UserSpace";

/// A governor; none if the text does not start like one.
const fn governor_of(text: Text<'_>) -> Result<Option<Governor>, Fault> {
    let mut index = 0;
    while index < GOVERNORS.len() {
        let (governor, needed, word) = GOVERNORS[index];
        if text.starts_with_any_case(needed) {
            if !starts_word(text, word) {
                return Err(text.is_fault(NO_GOVERNOR));
            }
            return Ok(Some(governor));
        }
        index += 1;
    }
    Ok(None)
}

/// Whether the text is the start of `word`, or all of it.
const fn starts_word(text: Text<'_>, word: &str) -> bool {
    text.len() <= word.len() && Text::new(word).take(text.len()).same_any_case(text)
}

const fn clock(whole: Text<'_>, text: Text<'_>) -> Result<CpuClock, Fault> {
    if text.is_empty() {
        return Err(whole.fault("a frequency is missing"));
    }
    let mut index = 0;
    while index < CLOCKS.len() {
        let (clock, needed, word) = CLOCKS[index];
        if text.starts_with_any_case(needed) && starts_word(text, word) {
            return Ok(clock);
        }
        index += 1;
    }
    if !text.byte(0).is_ascii_digit() {
        return Err(
            text.is_fault("neither a frequency (low, medium, high, highm1 or kHz) nor a governor")
        );
    }
    if !text.is_digits() {
        return Err(text.is_fault("not a frequency: whole kHz, without a unit"));
    }
    match attempt!(digits(text)) {
        0 => Err(text.fault("a frequency of zero is not possible")),
        value if value > MAX_KHZ => Err(text.is_fault("too high a frequency")),
        value => Ok(CpuClock::Khz(value as u32)),
    }
}

const fn rank(clock: CpuClock) -> u64 {
    match clock {
        CpuClock::Khz(value) => value as u64,
        CpuClock::Low => MAX_KHZ + 1,
        CpuClock::Medium => MAX_KHZ + 2,
        CpuClock::High => MAX_KHZ + 3,
        CpuClock::HighM1 => MAX_KHZ + 4,
    }
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
