//! Proposals for times.

use super::{leading_number, ungrouped, without_part};
use crate::options::fault::Fault;
use crate::options::types::Walltime;

/// Seconds of the units that people write.
const UNITS: &[(&str, u64)] = &[
    ("seconds", 1),
    ("second", 1),
    ("secs", 1),
    ("sec", 1),
    ("s", 1),
    ("minutes", 60),
    ("minute", 60),
    ("mins", 60),
    ("min", 60),
    ("m", 60),
    ("hours", 3_600),
    ("hour", 3_600),
    ("hrs", 3_600),
    ("hr", 3_600),
    ("h", 3_600),
    ("days", 86_400),
    ("day", 86_400),
    ("d", 86_400),
    ("weeks", 604_800),
    ("week", 604_800),
    ("w", 604_800),
];

/// The seconds of a span such as `1h30m`, `2 days` or `1.5h`.
fn spoken(value: &str) -> Option<u64> {
    let lower = value.to_ascii_lowercase();
    let mut rest = lower.trim();
    let mut sum: u64 = 0;
    while !rest.is_empty() {
        let (whole, thousandths, tail) = leading_number(rest)?;
        let tail = tail.trim_start();
        let (name, seconds) = UNITS.iter().find(|(name, _)| {
            tail.strip_prefix(name).is_some_and(|after| {
                !after.starts_with(|letter: char| letter.is_ascii_alphabetic())
            })
        })?;
        let span = whole.checked_mul(*seconds)?.checked_add(thousandths * seconds / 1_000)?;
        sum = sum.checked_add(span)?;
        rest = tail.get(name.len()..)?.trim_start();
    }
    Some(sum)
}

pub(super) fn walltime(value: &str) -> Vec<String> {
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

pub(super) fn switches(value: &str) -> Vec<String> {
    let Some((count, time)) = value.split_once('@') else {
        return super::numbers::count(value);
    };
    if time.is_empty() {
        return vec![count.to_owned()];
    }
    walltime(time).into_iter().map(|time| format!("{count}@{time}")).collect()
}

pub(super) fn datetime(value: &str, fault: &Fault) -> Vec<String> {
    let lower = value.to_ascii_lowercase();
    let mut proposals = vec![lower.clone(), value.replace('/', "-")];
    let zone = value.get(fault.range()).is_some_and(|part| part.starts_with(['Z', 'z', '+']));
    if zone && fault.range().start > 0 {
        proposals.push(without_part(value, fault));
    }
    for half in ["am", "pm"] {
        if let Some(hour) = lower.strip_suffix(half) {
            proposals.push(format!("{}:00{half}", hour.trim()));
        }
    }
    if let Some((hour, minute)) = value.split_once(':')
        && minute.len() == 1
    {
        proposals.push(format!("{hour}:0{minute}"));
    }
    let spans = ["in ", "now", "+", "next "];
    let mut span = lower.as_str();
    for prefix in spans {
        span = span.strip_prefix(prefix).unwrap_or(span).trim_start();
    }
    let seconds = spoken(span).or_else(|| spoken(&format!("1{span}")));
    if let Some(seconds) = seconds {
        for (name, factor) in [("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1)]
        {
            if seconds % factor == 0 {
                proposals.push(format!("now+{}{name}", seconds / factor));
                break;
            }
        }
    }
    proposals
}
