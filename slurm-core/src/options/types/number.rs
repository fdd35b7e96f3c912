//! Whole numbers: `parse_int` of `src/common/proc_args.c`.

use crate::options::fault::Fault;
use crate::options::text::{Text, attempt, is_space};

/// The largest number of nodes, tasks or processors that every release takes (23.02 and later
/// refuse `INT_MAX` and above, earlier ones wrap).
pub(crate) const MAX_COUNT: u64 = 2_147_483_646;
/// The largest number that fits the 16-bit fields of a job; the two above it mean "not set" and
/// "infinite", and sbatch cuts larger ones off without a word.
pub(crate) const MAX_SMALL_COUNT: u64 = 65_533;
/// The largest number of specialised cores or threads; the bit above marks threads.
pub(crate) const MAX_SPECIALIZED: u64 = 0x7fff;

const NEGATIVE: &str = "a negative number is not allowed here";
const TOO_LARGE: &str = "too large for sbatch's own integers";

/// Reads digits and nothing else.
pub(crate) const fn digits(text: Text<'_>) -> Result<u64, Fault> {
    if text.is_empty() {
        return Err(text.fault("a whole number is missing here"));
    }
    let bytes = text.bytes();
    let mut value: u64 = 0;
    let mut index = 0;
    while index < bytes.len() {
        if !bytes[index].is_ascii_digit() {
            return Err(text.is_fault("not a whole number"));
        }
        value = match value.checked_mul(10) {
            Some(value) => value,
            None => return Err(text.is_fault(TOO_LARGE)),
        };
        value = match value.checked_add((bytes[index] - b'0') as u64) {
            Some(value) => value,
            None => return Err(text.is_fault(TOO_LARGE)),
        };
        index += 1;
    }
    Ok(value)
}

/// Reads what C's `strtol` reads when it must consume everything: blanks, an optional `+`, digits.
pub(crate) const fn integer(text: Text<'_>) -> Result<u64, Fault> {
    let body = text.trim_start();
    let body = if body.byte(0) == b'+' { body.skip(1) } else { body };
    if body.byte(0) == b'-' && body.skip(1).is_digits() {
        return Err(text.fault(NEGATIVE));
    }
    let length = body.leading_digits();
    if length < body.len() && length > 0 {
        let rest = body.skip(length);
        if is_space(rest.byte(0)) {
            return Err(rest.fault("nothing may follow the number, not even a blank"));
        }
        if rest.byte(0) == b'.' {
            return Err(text.fault("a fraction is not allowed here, only a whole number"));
        }
        return Err(rest.is_fault("not part of a whole number"));
    }
    if body.byte(0) == b'=' {
        return Err(body.take(1).fault("the value starts with `=`"));
    }
    digits(body)
}

/// Reads an [`integer`] between `least` and `most`.
pub(crate) const fn integer_between(
    text: Text<'_>,
    (least, below): (u64, &'static str),
    (most, above): (u64, &'static str),
) -> Result<u64, Fault> {
    let value = attempt!(integer(text));
    if value < least {
        return Err(text.fault(below));
    }
    if value > most {
        return Err(text.fault(above));
    }
    Ok(value)
}

/// Reads a count of at least one.
pub(crate) const fn count(text: Text<'_>) -> Result<u64, Fault> {
    integer_between(
        text,
        (1, "zero is not allowed here, the least is 1"),
        (MAX_COUNT, "the most that sbatch takes here is 2147483646"),
    )
}

/// Reads a count of at least one for a 16-bit field.
pub(crate) const fn small_count(text: Text<'_>) -> Result<u64, Fault> {
    integer_between(
        text,
        (1, "zero is not allowed here, the least is 1"),
        (MAX_SMALL_COUNT, "the most that fits is 65533; sbatch silently cuts off what is larger"),
    )
}

/// Reads a number of specialised cores.
pub(crate) const fn core_spec(text: Text<'_>) -> Result<u64, Fault> {
    integer_between(
        text,
        (0, ""),
        (MAX_SPECIALIZED, "the most that fits is 32767; sbatch takes larger ones for threads"),
    )
}

/// Reads a number of specialised threads.
pub(crate) const fn thread_spec(text: Text<'_>) -> Result<u64, Fault> {
    integer_between(
        text,
        (1, "zero is not allowed here, the least is 1"),
        (MAX_SPECIALIZED, "the most that fits is 32767; sbatch misreads what is larger"),
    )
}

/// Reads a 16-bit number that may be zero.
pub(crate) const fn small_number(text: Text<'_>) -> Result<u64, Fault> {
    integer_between(text, (0, ""), (MAX_SMALL_COUNT, "the most that fits is 65533"))
}

/// Reads `0` or `1`.
pub(crate) const fn zero_or_one(text: Text<'_>) -> Result<u64, Fault> {
    integer_between(text, (0, ""), (1, "only 0 (no) and 1 (yes) have a meaning here"))
}
