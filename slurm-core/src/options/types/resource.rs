//! The pieces of a list of resources: `gres.c` and `slurm_get_next_tres`.

use std::fmt;

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt, is_space};

/// The suffixes of a count, as `suffix_mult` of `src/common/slurm_protocol_defs.c` has them.
const SUFFIXES: &[(&str, u64)] = &[
    ("k", 1 << 10),
    ("kib", 1 << 10),
    ("kb", 1_000),
    ("m", 1 << 20),
    ("mib", 1 << 20),
    ("mb", 1_000_000),
    ("g", 1 << 30),
    ("gib", 1 << 30),
    ("gb", 1_000_000_000),
    ("t", 1 << 40),
    ("tib", 1 << 40),
    ("tb", 1_000_000_000_000),
    ("p", 1 << 50),
    ("pib", 1 << 50),
    ("pb", 1_000_000_000_000_000),
];
const UNITS: &[(&str, u64)] =
    &[("P", 1 << 50), ("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];

/// What a part after a `:` can be.
pub(crate) enum CountOrType {
    Count(u64),
    Type,
}

/// Reads a count with an optional suffix; a fault if the text is no number or overflows.
pub(crate) const fn count(text: Text<'_>) -> Result<u64, Fault> {
    let (number, suffix) = text.split_at(text.leading_digits());
    if number.is_empty() {
        return Err(text.is_fault("not a count: a whole number is expected here"));
    }
    let value = attempt!(digits(number));
    if suffix.is_empty() {
        return Ok(value);
    }
    let mut index = 0;
    while index < SUFFIXES.len() {
        if suffix.is_any_case(SUFFIXES[index].0) {
            return match value.checked_mul(SUFFIXES[index].1) {
                Some(value) => Ok(value),
                None => Err(text.is_fault("too large a count")),
            };
        }
        index += 1;
    }
    Err(text.is_fault("not a count: a whole number is expected, perhaps with K, M, G, T or P"))
}

/// Tells a count from a type; what merely looks like a number is refused, because Slurm silently
/// takes it for the name of a type.
pub(crate) const fn count_or_type(text: Text<'_>) -> Result<CountOrType, Fault> {
    attempt!(word(text));
    let first = text.byte(0);
    if !first.is_ascii_digit() && first != b'-' && first != b'+' {
        return Ok(CountOrType::Type);
    }
    match count(text) {
        Ok(value) => Ok(CountOrType::Count(value)),
        Err(fault) if text.is_digits() => Err(fault),
        Err(_) if !looks_like_number(text) => Ok(CountOrType::Type),
        Err(_) => Err(text.is_fault(
            "not a count: whole numbers only (Slurm would take it for the name of a type)",
        )),
    }
}

/// Whether the text is a sign, digits and dots, and at most two letters.
const fn looks_like_number(text: Text<'_>) -> bool {
    let bytes = text.bytes();
    let mut index = 0;
    if matches!(text.byte(0), b'-' | b'+') {
        index = 1;
    }
    while index < bytes.len() && (bytes[index].is_ascii_digit() || bytes[index] == b'.') {
        index += 1;
    }
    let mut letters = 0;
    while index < bytes.len() && bytes[index].is_ascii_alphabetic() {
        index += 1;
        letters += 1;
    }
    index == bytes.len() && letters <= 2
}

/// Checks the name of a resource or type.
pub(crate) const fn word(text: Text<'_>) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(text.fault("a name or a count is missing beside `:`"));
    }
    let bytes = text.bytes();
    let mut index = 0;
    while index < bytes.len() {
        let byte = bytes[index];
        if is_space(byte) {
            return Err(text
                .skip(index)
                .take(1)
                .fault("no blank may stand in a list of resources"));
        }
        if byte == b';' {
            return Err(text.skip(index).take(1).fault("items are joined by `,`, not by `;`"));
        }
        if matches!(byte, b'(' | b')' | b'[' | b']' | b'|' | b'&' | b'*' | b'"' | b'\'') {
            return Err(text.skip(index).take(1).is_fault("not part of a name"));
        }
        index += 1;
    }
    Ok(())
}

/// The last separator before a count: `=`, or the last `:`.
pub(crate) const fn split_count(text: Text<'_>) -> (Text<'_>, Option<(Text<'_>, bool)>) {
    if let Some((name, count)) = text.split_once(b'=') {
        return (name, Some((count, true)));
    }
    let bytes = text.bytes();
    let mut index = bytes.len();
    while index > 0 {
        index -= 1;
        if bytes[index] == b':' {
            return (text.take(index), Some((text.skip(index + 1), false)));
        }
    }
    (text, None)
}

/// A count in the largest unit that divides it.
pub(crate) struct ScaledCount(pub(crate) u64);

impl fmt::Display for ScaledCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in UNITS {
            if self.0 != 0 && self.0.is_multiple_of(*factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}", self.0)
    }
}
