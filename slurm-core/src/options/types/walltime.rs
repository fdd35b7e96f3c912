//! Time limits: `time_str2secs` of `src/common/parse_time.c`.

use std::fmt;
use std::time::Duration;

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, typed};
use crate::options::suggest::{leading_number, ungrouped};
use crate::options::text::Text;

/// A span of time as `--time` counts it: whole seconds, or no limit.
///
/// Reads `minutes`, `minutes:seconds`, `hours:minutes:seconds`, `days-hours`,
/// `days-hours:minutes`, `days-hours:minutes:seconds` and `UNLIMITED` (also `INFINITE` and `-1`).
/// Groups may exceed their usual range (`90:00` is an hour and a half). Slurm itself rounds up to
/// whole minutes. Written as `HH:MM:SS` or `D-HH:MM:SS`.
///
/// ```
/// use slurm_core::options::Walltime;
/// assert_eq!("90".parse::<Walltime>()?.to_string(), "01:30:00");
/// assert_eq!("1-12".parse::<Walltime>()?.seconds(), Some(129_600));
/// # Ok::<(), slurm_core::options::InvalidValue>(())
/// ```
///
/// Slurm's source: `time_str2secs`, `time_str2mins`, `_is_valid_timespec` in
/// `src/common/parse_time.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Walltime(u32);

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "minutes, minutes:seconds, hours:minutes:seconds, days-hours[:minutes[:seconds]] \
               or UNLIMITED",
    example: "04:00:00",
    details: "Whole seconds at the finest, which Slurm rounds up to minutes; a number alone is \
              minutes. At most 24855 days. `UNLIMITED`, `INFINITE` and `-1` are no limit, and \
              so is 0 for a time limit.",
    canonical: |text| Ok(Walltime::read(text)?.to_string()),
    integers: Some((-1, (MAX_SECONDS / MINUTE) as i128)),
    nearby: |value, _| nearby(value),
    ..Grammar::ANY
};

/// Slurm adds 59 s in a C `int` to round up to minutes; above this the sum wraps.
pub(crate) const MAX_SECONDS: u64 = 2_147_483_588;

impl Walltime {
    /// No limit.
    pub const UNLIMITED: Self = Self(u32::MAX);
    /// The longest limited time that Slurm counts without overflow: about 68 years.
    pub const MAX: Self = Self(MAX_SECONDS as u32);

    /// Returns a time of `seconds`, or [`MAX`](Self::MAX) if that is less.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        if seconds > MAX_SECONDS { Self::MAX } else { Self(seconds as u32) }
    }

    /// Returns the number of seconds; `None` without a limit.
    #[must_use]
    pub const fn seconds(self) -> Option<u64> {
        if self.0 == u32::MAX { None } else { Some(self.0 as u64) }
    }

    /// Returns the time limit; `None` for no limit, which sbatch also reads from a time of zero.
    #[must_use]
    pub const fn as_limit(self) -> Option<Duration> {
        match self.seconds() {
            None | Some(0) => None,
            Some(seconds) => Some(Duration::from_secs(seconds)),
        }
    }

    /// Reads a time.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        if text.is("-1") || text.is_any_case("UNLIMITED") || text.is_any_case("INFINITE") {
            return Ok(Self::UNLIMITED);
        }
        only_time_characters(text)?;
        let (days, clock) = match text.split_once(b'-') {
            Some((days, clock)) => (Some(days), clock),
            None => (None, text),
        };
        if let Some(index) = clock.find(b'-') {
            return Err(clock
                .skip(index)
                .is_fault("one `-` too many: only days are followed by `-`"));
        }
        match days {
            Some(days) => Self::read_with_days(text, days, clock),
            None => Self::read_clock(text),
        }
    }

    fn read_with_days(text: Text<'_>, days: Text<'_>, clock: Text<'_>) -> Result<Self, Fault> {
        if days.find(b':').is_some() {
            return Err(text.fault("days come first: days-hours:minutes:seconds"));
        }
        if days.is_empty() {
            return Err(text.fault(
                "the number of days before `-` is missing (sbatch takes this for a negative time)",
            ));
        }
        if clock.is_empty() {
            return Err(text.fault("the hours after `-` are missing"));
        }
        let (first, second, third) = clock_groups(clock)?;
        let hours = digits(first)?;
        let minutes = group(second)?;
        let seconds = group(third)?;
        total(text, digits(days)?, hours, minutes, seconds)
    }

    fn read_clock(text: Text<'_>) -> Result<Self, Fault> {
        let (first, second, third) = clock_groups(text)?;
        let first = digits(first)?;
        match (second, third) {
            (Some(second), Some(third)) => total(text, 0, first, digits(second)?, digits(third)?),
            (Some(second), None) => total(text, 0, 0, first, digits(second)?),
            (None, _) => total(text, 0, 0, first, 0),
        }
    }
}

/// The one to three groups between the colons.
type Groups<'a> = (Text<'a>, Option<Text<'a>>, Option<Text<'a>>);

fn clock_groups(clock: Text<'_>) -> Result<Groups<'_>, Fault> {
    let mut groups = clock.parts(b':');
    let (first, second, third) = (groups.next().unwrap_or(clock), groups.next(), groups.next());
    match groups.next() {
        Some(fourth) => Err(clock
            .skip(fourth.start() - clock.start() - 1)
            .is_fault("one group too many: the most is hours:minutes:seconds, with days as days-")),
        None => Ok((first, second, third)),
    }
}

fn group(text: Option<Text<'_>>) -> Result<u64, Fault> {
    text.map_or(Ok(0), digits)
}

fn only_time_characters(text: Text<'_>) -> Result<(), Fault> {
    let belongs = |byte: u8| byte.is_ascii_digit() || byte == b':' || byte == b'-';
    let Some(index) = text.position(|byte| !belongs(byte)) else {
        return Ok(());
    };
    Err(match text.byte(index) {
        byte if byte.is_ascii_alphabetic() && index > 0 => {
            text.skip(index).is_fault("not part of a time, which has no letters for its units")
        }
        b' ' | b'\t' => text.at(index).fault("no blank may stand in a time"),
        _ => text.is_fault("not a time"),
    })
}

fn total(
    text: Text<'_>,
    days: u64,
    hours: u64,
    minutes: u64,
    seconds: u64,
) -> Result<Walltime, Fault> {
    let parts = [(days, DAY), (hours, HOUR), (minutes, MINUTE), (seconds, 1)];
    let sum = parts
        .iter()
        .fold(0_u64, |sum, (count, seconds)| sum.saturating_add(count.saturating_mul(*seconds)));
    if sum > MAX_SECONDS {
        return Err(text.fault("too long: Slurm counts at most 24855 days"));
    }
    Ok(Walltime(sum as u32))
}

typed!(Walltime, GRAMMAR);

impl fmt::Display for Walltime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(seconds) = self.seconds() else {
            return f.write_str("UNLIMITED");
        };
        let (days, rest) = (seconds / DAY, seconds % DAY);
        if days > 0 {
            write!(f, "{days}-")?;
        }
        write!(f, "{:02}:{:02}:{:02}", rest / HOUR, rest % HOUR / MINUTE, rest % MINUTE)
    }
}

impl From<Duration> for Walltime {
    /// Rounds up to a whole second, and a longer time down to [`Walltime::MAX`].
    fn from(duration: Duration) -> Self {
        Self::from_seconds(whole_seconds(duration))
    }
}

/// The seconds of `duration`, rounded up.
pub(crate) const fn whole_seconds(duration: Duration) -> u64 {
    let extra = if duration.subsec_nanos() > 0 { 1 } else { 0 };
    duration.as_secs().saturating_add(extra)
}

/// The seconds of a span such as `1h30m`, `2 days` or `1.5h`, as people write it.
pub(crate) fn spoken(value: &str) -> Option<u64> {
    let lower = value.to_ascii_lowercase();
    let mut rest = lower.trim();
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let (whole, thousandths, tail) = leading_number(rest)?;
        let tail = tail.trim_start();
        let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, tail) = tail.split_at(letters);
        let seconds = match unit {
            "seconds" | "second" | "secs" | "sec" | "s" => 1,
            "minutes" | "minute" | "mins" | "min" | "m" => MINUTE,
            "hours" | "hour" | "hrs" | "hr" | "h" => HOUR,
            "days" | "day" | "d" => DAY,
            "weeks" | "week" | "w" => 7 * DAY,
            _ => return None,
        };
        let span = whole.checked_mul(seconds)?.checked_add(thousandths * seconds / 1_000)?;
        sum = sum.checked_add(span)?;
        rest = tail.trim_start();
    }
    Some(sum)
}

pub(crate) fn nearby(value: &str) -> Vec<String> {
    let mut proposals = Vec::new();
    if let Some(seconds) = spoken(value) {
        proposals.push(Walltime::from_seconds(seconds).to_string());
    }
    let parts: Vec<&str> = value.split(':').collect();
    if let [days, hours, minutes, seconds] = parts.as_slice() {
        proposals.push(format!("{days}-{hours}:{minutes}:{seconds}"));
    }
    let lower = value.to_ascii_lowercase();
    let endless = ["inf", "unlim", "max", "none", "never"];
    if endless.iter().any(|word| lower.starts_with(word))
        || leading_number(value).is_some_and(|(_, _, rest)| rest.is_empty())
    {
        proposals.push("UNLIMITED".to_owned());
    }
    proposals.push(ungrouped(value));
    proposals.push(value.trim_start_matches('-').to_owned());
    proposals.push(format!("0{value}"));
    proposals.push(format!("{value}00"));
    proposals.push(format!("{value}0"));
    proposals
}
