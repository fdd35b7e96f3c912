//! Proposals for numbers and sizes.

use super::{leading_number, ungrouped};
use crate::options::types::Memory;

pub(super) fn count(value: &str) -> Vec<String> {
    let plain = ungrouped(value.trim());
    let mut proposals = vec![plain.clone()];
    if let Some((whole, 0, "")) = leading_number(&plain) {
        proposals.push(whole.to_string());
    }
    if plain == "0" {
        proposals.push("1".to_owned());
    }
    proposals
}

pub(super) fn nodes(value: &str) -> Vec<String> {
    let mut proposals = vec![
        value.trim_end_matches('-').to_owned(),
        value.trim_start_matches('-').to_owned(),
        value.replace(':', "-"),
        value.replace("..", "-"),
    ];
    proposals.extend(swapped(value));
    proposals.extend(count(value));
    proposals
}

/// The range with its ends exchanged.
pub(super) fn swapped(value: &str) -> Option<String> {
    let (low, high) = value.split_once('-')?;
    Some(format!("{high}-{low}"))
}

pub(super) fn memory(value: &str) -> Vec<String> {
    let compact: String = value.chars().filter(|letter| !letter.is_whitespace()).collect();
    let plain = ungrouped(&compact);
    let mut proposals = vec![plain.clone()];
    let positive = plain.trim_start_matches(['-', '+']);
    if positive.ends_with(|letter: char| letter.is_ascii_alphabetic()) {
        proposals.push(positive.to_owned());
        proposals.extend(sized(positive).map(|memory| memory.to_string()));
    }
    let lower = plain.to_ascii_lowercase();
    if lower.starts_with("max") || lower == "all" || lower == "100%" {
        proposals.push("0".to_owned());
    }
    if let Some(digits) = lower.strip_suffix('b').filter(|rest| !rest.is_empty()) {
        proposals.push(digits.to_owned());
    }
    proposals.push(format!("1{plain}"));
    proposals
}

/// A size such as `0.5G`, `4GiB` or `2P`, rounded up to MiB.
fn sized(value: &str) -> Option<Memory> {
    let (whole, thousandths, unit) = leading_number(value)?;
    let unit = unit.to_ascii_lowercase();
    let kib = match unit.trim_end_matches("bytes").trim_end_matches("ib").trim_end_matches('b') {
        "" if unit.is_empty() => 1 << 10,
        "" => {
            let bytes = whole.checked_add(u64::from(thousandths > 0))?;
            return Some(Memory::from_mib(bytes.div_ceil(1 << 20)));
        }
        "k" => 1,
        "m" => 1 << 10,
        "g" => 1 << 20,
        "t" => 1 << 30,
        "p" => 1 << 40,
        _ => return None,
    };
    let total = whole.checked_mul(kib)?.checked_add((thousandths * kib).div_ceil(1_000))?;
    Some(Memory::from_mib(total.div_ceil(1 << 10)))
}

pub(super) fn cpu_freq(value: &str) -> Vec<String> {
    let (clocks, governor) = match value.split_once(':') {
        Some((clocks, governor)) => (clocks, format!(":{governor}")),
        None => (value, String::new()),
    };
    let mut proposals = vec![format!("{clocks}-{clocks}{governor}"), clocks.to_owned()];
    proposals.extend(swapped(clocks).map(|clocks| format!("{clocks}{governor}")));
    if let Some((whole, thousandths, unit)) = leading_number(clocks) {
        let factor = match unit.to_ascii_lowercase().as_str() {
            "khz" | "k" => Some(1),
            "mhz" | "m" => Some(1_000),
            "ghz" | "g" => Some(1_000_000),
            _ => None,
        };
        if let Some(khz) = factor
            .and_then(|factor| whole.checked_mul(factor)?.checked_add(thousandths * factor / 1_000))
        {
            proposals.push(format!("{khz}{governor}"));
        }
    }
    proposals
}

pub(super) fn gpu_freq(value: &str) -> Vec<String> {
    let lower = value.to_ascii_lowercase();
    vec![lower.replace(':', "="), lower.replace("mhz", ""), lower]
}
