//! Frequencies of GPUs: `src/common/tres_frequency.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

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

impl GpuFreq {
    /// Reads frequencies.
    pub(crate) const fn read(text: Text<'_>) -> Result<Self, Fault> {
        let mut all = Self { clock: None, memory: None, verbose: false };
        let mut rest = Some(text);
        while let Some(list) = rest {
            let (part, tail) = list.next_part(b',');
            rest = tail;
            // strtok skips empty places.
            if part.is_empty() {
                continue;
            }
            match part.split_once(b'=') {
                None if part.is("verbose") => all.verbose = true,
                None => {
                    if all.clock.is_some() {
                        return Err(part.is_fault("a second frequency"));
                    }
                    all.clock = Some(attempt!(clock(part, part)));
                }
                Some((name, value)) if name.is("memory") => {
                    if all.memory.is_some() {
                        return Err(part.is_fault("a second frequency of the memory"));
                    }
                    all.memory = Some(attempt!(clock(part, value)));
                }
                Some((name, _)) => {
                    return Err(
                        name.is_fault("not a part of a GPU with a frequency; only `memory` is")
                    );
                }
            }
        }
        if all.clock.is_none() && all.memory.is_none() && !all.verbose {
            return Err(text.fault("no frequency is given"));
        }
        Ok(all)
    }
}

const fn clock(part: Text<'_>, value: Text<'_>) -> Result<GpuClock, Fault> {
    if value.is_empty() {
        return Err(part.fault("the frequency after `=` is missing"));
    }
    if value.is("low") {
        return Ok(GpuClock::Low);
    }
    if value.is("medium") {
        return Ok(GpuClock::Medium);
    }
    if value.is("high") {
        return Ok(GpuClock::High);
    }
    if value.is("highm1") {
        return Ok(GpuClock::HighM1);
    }
    if value.is_digits() {
        return match attempt!(digits(value)) {
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
        match self {
            Self::Low => f.write_str("low"),
            Self::Medium => f.write_str("medium"),
            Self::High => f.write_str("high"),
            Self::HighM1 => f.write_str("highm1"),
            Self::Mhz(mhz) => write!(f, "{mhz}"),
        }
    }
}
