//! Lists of numbers and masks, as binding options have them.

use crate::options::fault::Fault;
use crate::options::text::Text;

/// Checks one entry of a list: a number, or a hexadecimal mask, perhaps repeated with `*count`.
pub(crate) fn entry(text: Text<'_>, mask: bool) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(text.fault("a number is missing in the list"));
    }
    let (number, count) = text.head(b'*');
    let body = if mask && number.starts_with_any_case("0x") { number.skip(2) } else { number };
    if body.is_empty() {
        return Err(text.is_fault("without a number"));
    }
    if mask && !is_hexadecimal(body) {
        return Err(number.is_fault("not a hexadecimal mask"));
    }
    if !mask && !body.is_digits() {
        return Err(number.is_fault("not a number (ranges are not possible here)"));
    }
    if body.len() > 15 {
        return Err(number.is_fault("too large"));
    }
    let is_zero = |count: Text<'_>| count.bytes().iter().all(|byte| *byte == b'0');
    if count.is_some_and(|count| !count.is_digits() || is_zero(count) || count.len() > 9) {
        return Err(text.fault("a count from 1 on must follow `*`"));
    }
    Ok(())
}

/// Checks a whole list joined by commas.
pub(crate) fn entries(text: Text<'_>, mask: bool) -> Result<(), Fault> {
    text.parts(b',').try_for_each(|part| entry(part, mask))
}

/// Whether all bytes are hexadecimal digits.
pub(crate) fn is_hexadecimal(text: Text<'_>) -> bool {
    !text.is_empty() && text.bytes().iter().all(u8::is_ascii_hexdigit)
}
