//! The pieces of a list of resources: `gres.c` and `slurm_get_next_tres`.

use std::fmt;

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::text::{Text, is_space};

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
pub(crate) fn count(text: Text<'_>) -> Result<u64, Fault> {
    let (number, suffix) = text.split_at(text.leading_digits());
    if number.is_empty() {
        return Err(text.is_fault("not a count: a whole number is expected here"));
    }
    let value = digits(number)?;
    if suffix.is_empty() {
        return Ok(value);
    }
    if let Some((_, factor)) = SUFFIXES.iter().find(|(name, _)| suffix.is_any_case(name)) {
        return value.checked_mul(*factor).ok_or_else(|| text.is_fault("too large a count"));
    }
    Err(text.is_fault("not a count: a whole number is expected, perhaps with K, M, G, T or P"))
}

/// Tells a count from a type; what merely looks like a number is refused, because Slurm silently
/// takes it for the name of a type.
pub(crate) fn count_or_type(text: Text<'_>) -> Result<CountOrType, Fault> {
    word(text)?;
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
fn looks_like_number(text: Text<'_>) -> bool {
    let body = text.skip(usize::from(matches!(text.byte(0), b'-' | b'+')));
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let rest = body.skip(body.position(|byte| !is_number(byte)).unwrap_or(body.len()));
    rest.len() <= 2 && rest.bytes().iter().all(u8::is_ascii_alphabetic)
}

/// Checks the name of a resource or type.
pub(crate) fn word(text: Text<'_>) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(text.fault("a name or a count is missing beside `:`"));
    }
    let is_wrong = |byte: u8| is_space(byte) || b";()[]|&*\"'".contains(&byte);
    let Some(index) = text.position(is_wrong) else {
        return Ok(());
    };
    let part = text.at(index);
    Err(match part.byte(0) {
        byte if is_space(byte) => part.fault("no blank may stand in a list of resources"),
        b';' => part.fault("items are joined by `,`, not by `;`"),
        _ => part.is_fault("not part of a name"),
    })
}

/// The last separator before a count: `=`, or the last `:`.
pub(crate) fn split_count(text: Text<'_>) -> (Text<'_>, Option<(Text<'_>, bool)>) {
    if let Some((name, count)) = text.split_once(b'=') {
        return (name, Some((count, true)));
    }
    match text.bytes().iter().rposition(|byte| *byte == b':') {
        Some(index) => (text.take(index), Some((text.skip(index + 1), false))),
        None => (text, None),
    }
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
