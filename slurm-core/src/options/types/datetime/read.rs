//! How a point in time is read.

use super::value::{Date, DateTime, Start, TimeOfDay};
use crate::options::fault::Fault;
use crate::options::text::{Text, is_space};
use crate::options::types::number::digits;

const TIMES: &[(&str, u8)] =
    &[("midnight", 0), ("elevenses", 11), ("noon", 12), ("fika", 15), ("teatime", 16)];
/// Units of a distance, which may have an `s` at the end, with their seconds.
const UNITS: &[(&str, i64)] =
    &[("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400), ("week", 604_800)];
const SECOND_DATE: &str = "a second date";
const SECOND_TIME: &str = "a second time of day";
const MIN_EPOCH: u64 = 1_000_000;
/// About 30,000 years; beyond it the C library's calendar gives up.
pub(crate) const MAX_SECONDS: u64 = 1_000_000_000_000;

impl DateTime {
    /// Reads a point in time.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        if text.starts_with_any_case("uts") {
            return epoch(text);
        }
        let mut when = Self { start: None, date: None, time: None };
        let mut rest = text;
        loop {
            while matches!(rest.byte(0), b' ' | b'\t' | b'-' | b'T') {
                rest = rest.skip(1);
            }
            if rest.is_empty() {
                break;
            }
            rest = when.item(text, rest)?;
        }
        if when.start.is_none() && when.date.is_none() && when.time.is_none() {
            return Err(text.fault("neither a date nor a time of day is given"));
        }
        Ok(when)
    }

    /// Reads one item and returns the rest.
    fn item<'a>(&mut self, whole: Text<'a>, text: Text<'a>) -> Result<Text<'a>, Fault> {
        if text.starts_with_any_case("today") {
            return set(&mut self.date, Date::Today, text, 5, SECOND_DATE);
        }
        if text.starts_with_any_case("tomorrow") {
            return set(&mut self.date, Date::Tomorrow, text, 8, SECOND_DATE);
        }
        if let Some((word, hour)) = TIMES.iter().find(|(word, _)| text.starts_with_any_case(word)) {
            let time = TimeOfDay { hour: *hour, minute: 0, second: 0 };
            return set(&mut self.time, time, text, word.len(), SECOND_TIME);
        }
        if text.starts_with_any_case("now") {
            if text.start() > 0 {
                return Err(text.take(3).fault("`now` comes first"));
            }
            let (seconds, rest) = distance(text)?;
            self.start = Some(Start::Now(seconds));
            return Ok(rest);
        }
        if !text.byte(0).is_ascii_digit() {
            return Err(word_fault(whole, text));
        }
        if text.byte(1) == b':' || text.byte(2) == b':' {
            let (time, length) = time_of_day(text)?;
            return set(&mut self.time, time, text, length, SECOND_TIME);
        }
        let (date, length) = date(text)?;
        set(&mut self.date, date, text, length, SECOND_DATE)
    }
}

/// Sets the date or the time of day in the first `length` bytes, and returns the rest.
fn set<'a, T>(
    slot: &mut Option<T>,
    value: T,
    text: Text<'a>,
    length: usize,
    second: &'static str,
) -> Result<Text<'a>, Fault> {
    match slot.replace(value) {
        Some(_) => Err(text.take(length).is_fault(second)),
        None => Ok(text.skip(length)),
    }
}

fn epoch(text: Text<'_>) -> Result<DateTime, Fault> {
    let number = text.skip(3).trim_start();
    let seconds = digits(number)?;
    if !(MIN_EPOCH..=MAX_SECONDS).contains(&seconds) {
        return Err(number.is_fault("out of range: seconds since 1970, from 1000000 on"));
    }
    Ok(DateTime { start: Some(Start::Epoch(seconds as i64)), date: None, time: None })
}

/// The seconds after `now`, and what follows.
fn distance(text: Text<'_>) -> Result<(i64, Text<'_>), Fault> {
    let after = text.skip(3).trim_start();
    let sign = after.byte(0);
    if after.is_empty() {
        return Ok((0, after));
    }
    if sign != b'+' && sign != b'-' {
        return Err(after.is_fault("not a distance from now, which starts with `+` or `-`"));
    }
    let body = after.skip(1).trim_start();
    let (number, rest) = body.split_at(body.leading_digits());
    if number.is_empty() {
        return Err(after.is_fault("not a distance: a whole number is missing"));
    }
    let count = digits(number)?;
    let rest = rest.trim_start();
    let (unit, rest) = unit(number, rest)?;
    if count > MAX_SECONDS || count as i64 * unit > MAX_SECONDS as i64 {
        return Err(number.is_fault("too far away"));
    }
    let seconds = count as i64 * unit;
    Ok((if sign == b'-' { -seconds } else { seconds }, rest))
}

fn unit<'a>(number: Text<'a>, text: Text<'a>) -> Result<(i64, Text<'a>), Fault> {
    if text.is_empty() {
        return Ok((1, text));
    }
    if let Some((name, seconds)) = UNITS.iter().find(|(name, _)| text.starts_with_any_case(name)) {
        let rest = text.skip(name.len());
        return Ok((*seconds, rest.skip(usize::from(rest.starts_with_any_case("s")))));
    }
    if text.byte(0) == b'.' {
        return Err(text.fault("a distance is a whole number; use the next smaller unit"));
    }
    if text.byte(0).is_ascii_digit() {
        return Err(Fault::at(number.start(), text.end(), "a blank splits the number"));
    }
    Err(text.is_fault("not a unit; expected seconds, minutes, hours, days or weeks"))
}

/// Two digits that must not exceed `most`.
fn two_digits(text: Text<'_>, most: u8, reason: &'static str) -> Result<u8, Fault> {
    let part = text.take(2);
    if !part.is_digits() || part.len() != 2 {
        return Err(text.take(2).fault("two digits are expected here"));
    }
    let value = (part.byte(0) - b'0') * 10 + (part.byte(1) - b'0');
    if value > most { Err(part.is_fault(reason)) } else { Ok(value) }
}

/// `_get_time`: the time of day at the start, and its length.
fn time_of_day(text: Text<'_>) -> Result<(TimeOfDay, usize), Fault> {
    let mut index = if text.byte(1) == b':' { 1 } else { 2 };
    let hour = text.take(index);
    if !hour.is_digits() {
        return Err(hour.is_fault("not an hour"));
    }
    let mut value = digits(hour)? as u8;
    if value > 23 {
        return Err(hour.is_fault("not an hour: they go from 0 to 23"));
    }
    index += 1;
    let minute = two_digits(text.skip(index), 59, "not a minute: they go from 0 to 59")?;
    index += 2;
    let mut second = 0;
    if text.byte(index) == b':' {
        index += 1;
        second = two_digits(text.skip(index), 59, "not a second: they go from 0 to 59")?;
        index += 2;
    }
    let mut half = index;
    while is_space(text.byte(half)) {
        half += 1;
    }
    let suffix = text.skip(half);
    if suffix.starts_with_any_case("pm") || suffix.starts_with_any_case("am") {
        let afternoon = suffix.byte(0).eq_ignore_ascii_case(&b'p');
        if value > 12 {
            return Err(hour.is_fault("an hour of the 24-hour clock, which takes no am or pm"));
        }
        value = match (afternoon, value) {
            (false, 12) => 0,
            (true, 12) => 12,
            (true, hour) => hour + 12,
            (false, hour) => hour,
        };
        index = half + 2;
    }
    Ok((TimeOfDay { hour: value, minute, second }, index))
}

/// `_get_date`: the date at the start, and its length.
fn date(text: Text<'_>) -> Result<(Date, usize), Fault> {
    if text.byte(4) == b'-' && text.byte(7) == b'-' {
        return year_first(text);
    }
    let (month, mut index) = one_or_two(text, 0, 12, "not a month: they go from 1 to 12")?;
    if matches!(text.byte(index), b'.' | b'/') {
        index += 1;
    }
    if !text.byte(index).is_ascii_digit() {
        return Err(text.take(index).is_fault(
            "not a date: expected YYYY-MM-DD or MM/DD; a time of day needs minutes, as in 4:00pm",
        ));
    }
    let (day, end) = one_or_two(text, index, 31, "not a day: they go from 1 to 31")?;
    index = end;
    if matches!(text.byte(index), b'.' | b'/') {
        index += 1;
    }
    let mut year = None;
    if text.byte(index).is_ascii_digit() {
        let value = two_digits(text.skip(index), 99, "")?;
        if value == 0 {
            return Err(text.skip(index).take(2).fault("Slurm takes the year 00 for no year"));
        }
        year = Some(2000 + u16::from(value));
        index += 2;
        if text.byte(index).is_ascii_digit() {
            return Err(
                text.is_fault("not a date: a year of four digits comes first, as in 2030-01-20")
            );
        }
    }
    Ok((Date::Calendar { year, month, day }, index))
}

fn year_first(text: Text<'_>) -> Result<(Date, usize), Fault> {
    let year = text.take(4);
    if !year.is_digits() {
        return Err(year.is_fault("not a year"));
    }
    let month = two_digits(text.skip(5), 12, "not a month: they go from 01 to 12")?;
    if month == 0 {
        return Err(text.skip(5).take(2).is_fault("not a month: they go from 01 to 12"));
    }
    let (day, index) = one_or_two(text, 8, 31, "not a day: they go from 01 to 31")?;
    let year = Some(digits(year)? as u16);
    Ok((Date::Calendar { year, month, day }, index))
}

/// A number of one or two digits from 1 to `most`, and where it ends.
fn one_or_two(
    text: Text<'_>,
    start: usize,
    most: u8,
    reason: &'static str,
) -> Result<(u8, usize), Fault> {
    let first = text.byte(start);
    if !first.is_ascii_digit() {
        return Err(text.at(start).fault("a digit is expected here"));
    }
    let second = text.byte(start + 1);
    let (value, end) = if second.is_ascii_digit() {
        ((first - b'0') * 10 + (second - b'0'), start + 2)
    } else {
        (first - b'0', start + 1)
    };
    if value == 0 || value > most {
        return Err(text.skip(start).take(end - start).is_fault(reason));
    }
    Ok((value, end))
}

fn word_fault(whole: Text<'_>, text: Text<'_>) -> Fault {
    let before = whole.start() < text.start() && text.end() == whole.end();
    if matches!(text.byte(0), b'Z' | b'z' | b'+') && before {
        return text.is_fault("not part of a time: a time zone cannot be given");
    }
    if before && whole.byte(text.start() - 1) == b'T' {
        return whole.fault("a word with a capital T is misread by sbatch; use lower case");
    }
    text.is_fault(
        "not a date or time; expected YYYY-MM-DD, HH:MM[:SS], now+COUNTunit, today, tomorrow, \
         midnight, noon, fika or teatime",
    )
}
