//! Valid values near a refused one.

use super::fault::Fault;

/// Returns the first change of `value` that `is_valid` takes, smallest changes first.
pub(crate) fn near(value: &str, fault: &Fault, is_valid: impl Fn(&str) -> bool) -> Option<String> {
    let range = fault.range();
    let without_part = match (value.get(..range.start), value.get(range.end..)) {
        (Some(before), Some(after)) => format!("{before}{after}"),
        _ => return None,
    };
    let without_blanks: String = value
        .chars()
        .filter(|letter| !letter.is_whitespace())
        .collect();
    [without_blanks, without_part]
        .into_iter()
        .find(|candidate| candidate != value && !candidate.is_empty() && is_valid(candidate))
}
