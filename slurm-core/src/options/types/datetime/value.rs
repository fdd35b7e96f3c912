//! The parts of a point in time, and how they are written.

use crate::options::grammar::typed;
use std::fmt;

/// A point in time as `--begin` and `--deadline` take it.
///
/// A date, a time of day, or both, apart by `T`, `-` or a blank: `2030-01-20`, `01/20`, `012030`
/// (month, day, year), `today`, `tomorrow`; `16:00`, `4:00pm`, `16:00:30`, `midnight`, `noon`,
/// `fika` (15:00), `teatime` (16:00), `elevenses` (11:00). Or a distance, `now+2hours`, and `uts`
/// with the seconds since 1970. All in the time zone of the machine that submits; a time zone
/// cannot be given. Without a date it is the next such time, without a time midnight.
///
/// Slurm's source: `parse_time`, `_get_time`, `_get_date`, `_get_delta` in
/// `src/common/parse_time.c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DateTime {
    pub(super) start: Option<Start>,
    pub(super) date: Option<Date>,
    pub(super) time: Option<TimeOfDay>,
}

/// The start of a [`DateTime`] that is a distance instead of a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Start {
    /// Seconds since 1970.
    Epoch(i64),
    /// Seconds from now.
    Now(i64),
}

/// A day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Date {
    Today,
    Tomorrow,
    Calendar { year: Option<u16>, month: u8, day: u8 },
}

/// A time of day, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct TimeOfDay {
    pub(super) hour: u8,
    pub(super) minute: u8,
    pub(super) second: u8,
}

impl DateTime {
    /// Returns the seconds from now, if that is all that was given.
    #[must_use]
    pub const fn seconds_from_now(self) -> Option<i64> {
        match self {
            Self { start: Some(Start::Now(seconds)), date: None, time: None } => Some(seconds),
            _ => None,
        }
    }

    /// Returns whether this certainly comes before `other`: only points of the same kind can be
    /// compared without a clock.
    #[must_use]
    pub fn is_before(self, other: Self) -> bool {
        let epoch = |time: Self| match time.start {
            Some(Start::Epoch(seconds)) => Some(seconds),
            _ => None,
        };
        fn less<T: PartialOrd>(left: Option<T>, right: Option<T>) -> Option<bool> {
            Some(left? < right?)
        }
        less(epoch(self), epoch(other))
            .or_else(|| less(self.seconds_from_now(), other.seconds_from_now()))
            .or_else(|| less(self.calendar(), other.calendar()))
            .unwrap_or(false)
    }

    /// Year, month, day and time of day, if all are known.
    fn calendar(self) -> Option<(u16, u8, u8, TimeOfDay)> {
        let Some(Date::Calendar { year: Some(year), month, day }) = self.date else {
            return None;
        };
        Some((year, month, day, self.time.unwrap_or(TimeOfDay { hour: 0, minute: 0, second: 0 })))
    }
}

typed!(DateTime, super::GRAMMAR);

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut started = true;
        match self.start {
            Some(Start::Epoch(seconds)) => write!(f, "uts{seconds}")?,
            Some(Start::Now(seconds)) => write_distance(f, seconds)?,
            None => started = false,
        }
        if let Some(date) = self.date {
            f.write_str(if started { "T" } else { "" })?;
            write!(f, "{date}")?;
            started = true;
        }
        if let Some(time) = self.time {
            f.write_str(if started { "T" } else { "" })?;
            write!(f, "{:02}:{:02}:{:02}", time.hour, time.minute, time.second)?;
        }
        Ok(())
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Today => f.write_str("today"),
            Self::Tomorrow => f.write_str("tomorrow"),
            Self::Calendar { year: Some(year), month, day } => {
                write!(f, "{year:04}-{month:02}-{day:02}")
            }
            Self::Calendar { year: None, month, day } => write!(f, "{month:02}/{day:02}"),
        }
    }
}

/// Writes a distance in the largest unit that divides it.
fn write_distance(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    if seconds == 0 {
        return f.write_str("now+0seconds");
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let size = seconds.unsigned_abs();
    for (name, factor) in [("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)] {
        if size.is_multiple_of(factor) {
            let count = size / factor;
            return write!(f, "now{sign}{count}{name}{}", if count == 1 { "" } else { "s" });
        }
    }
    Ok(())
}
