//! Lists of numbers and masks, as binding options have them.

use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

/// Checks one entry of a list: a number, or a hexadecimal mask, perhaps repeated with `*count`.
pub(crate) const fn entry(text: Text<'_>, mask: bool) -> Result<(), Fault> {
    if text.is_empty() {
        return Err(text.fault("a number is missing in the list"));
    }
    let (number, count) = match text.split_once(b'*') {
        Some((number, count)) => (number, Some(count)),
        None => (text, None),
    };
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
    if let Some(count) = count
        && (!count.is_digits() || is_zero(count) || count.len() > 9)
    {
        return Err(text.fault("a count from 1 on must follow `*`"));
    }
    Ok(())
}

/// Checks a whole list joined by commas.
pub(crate) const fn entries(text: Text<'_>, mask: bool) -> Result<(), Fault> {
    let mut rest = Some(text);
    while let Some(list) = rest {
        let (part, tail) = list.next_part(b',');
        rest = tail;
        attempt!(entry(part, mask));
    }
    Ok(())
}

/// Whether all bytes are hexadecimal digits.
pub(crate) const fn is_hexadecimal(text: Text<'_>) -> bool {
    let bytes = text.bytes();
    let mut index = 0;
    while index < bytes.len() && bytes[index].is_ascii_hexdigit() {
        index += 1;
    }
    index == bytes.len() && !bytes.is_empty()
}

const fn is_zero(text: Text<'_>) -> bool {
    let bytes = text.bytes();
    let mut index = 0;
    while index < bytes.len() && bytes[index] == b'0' {
        index += 1;
    }
    index == bytes.len()
}
