//! Frequencies of GPUs: `src/common/tres_frequency.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::text::Text;

/// At which frequency a GPU's processor or memory runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GpuClock {
    /// The lowest.
    Low,
    /// The middle of the range.
    Medium,
    /// The highest.
    High,
    /// The second highest.
    HighM1,
    /// So many MHz, or the next higher one there is.
    Mhz(u32),
}

/// The frequencies of GPUs, in MHz.
///
/// Comma-separated `[memory=]low|medium|high|highm1|MHz`, and `verbose`; lower case only.
///
/// Slurm's source: `_valid_gpu_freq` in `src/common/tres_frequency.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GpuFreq {
    /// The processor's frequency.
    pub clock: Option<GpuClock>,
    /// The memory's frequency.
    pub memory: Option<GpuClock>,
    /// Whether the frequencies are reported.
    pub verbose: bool,
}

const CLOCKS: &[(&str, GpuClock)] = &[
    ("low", GpuClock::Low),
    ("medium", GpuClock::Medium),
    ("high", GpuClock::High),
    ("highm1", GpuClock::HighM1),
];

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`[memory=]low|medium|high|highm1|MHz` joined by commas",
    example: "high,memory=low",
    details: "Whole MHz or words, in lower case; `verbose` may be added.",
    canonical: |text| Ok(GpuFreq::read(text)?.to_string()),
    words: &["low", "medium", "high", "highm1", "memory", "verbose"],
    nearby: |value, _| {
        let lower = value.to_ascii_lowercase();
        vec![lower.replace(':', "="), lower.replace("mhz", ""), lower]
    },
    ..Grammar::ANY
};

impl GpuFreq {
    /// Reads frequencies.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let mut all = Self { clock: None, memory: None, verbose: false };
        text.items(b',', "no frequency is given", |part| {
            match part.split_once(b'=') {
                None if part.is("verbose") => all.verbose = true,
                None if all.clock.is_some() => return Err(part.is_fault("a second frequency")),
                None => all.clock = Some(clock(part, part)?),
                Some((name, _)) if !name.is("memory") => {
                    let reason = "not a part of a GPU with a frequency; only `memory` is";
                    return Err(name.is_fault(reason));
                }
                Some(_) if all.memory.is_some() => {
                    return Err(part.is_fault("a second frequency of the memory"));
                }
                Some((_, value)) => all.memory = Some(clock(part, value)?),
            }
            Ok(())
        })?;
        Ok(all)
    }
}

fn clock(part: Text<'_>, value: Text<'_>) -> Result<GpuClock, Fault> {
    if value.is_empty() {
        return Err(part.fault("the frequency after `=` is missing"));
    }
    if let Some((_, clock)) = CLOCKS.iter().find(|(name, _)| value.is(name)) {
        return Ok(*clock);
    }
    if value.is_digits() {
        return match digits(value)? {
            mhz if mhz > i32::MAX as u64 => Err(value.is_fault("too high a frequency")),
            mhz => Ok(GpuClock::Mhz(mhz as u32)),
        };
    }
    if value.byte(0).is_ascii_digit() {
        return Err(value.is_fault("not a frequency: whole MHz, without a unit"));
    }
    Err(value.is_fault("not a frequency; expected low, medium, high, highm1 or MHz, in lower case"))
}

typed!(GpuFreq, GpuFreq);

impl fmt::Display for GpuFreq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = "";
        if let Some(clock) = self.clock {
            write!(f, "{clock}")?;
            comma = ",";
        }
        if let Some(memory) = self.memory {
            write!(f, "{comma}memory={memory}")?;
            comma = ",";
        }
        if self.verbose {
            write!(f, "{comma}verbose")?;
        }
        Ok(())
    }
}

impl fmt::Display for GpuClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match CLOCKS.iter().find(|(_, clock)| clock == self) {
            Some((name, _)) => f.write_str(name),
            None => match self {
                Self::Mhz(mhz) => write!(f, "{mhz}"),
                Self::Low | Self::Medium | Self::High | Self::HighM1 => Ok(()),
            },
        }
    }
}
