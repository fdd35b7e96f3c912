//! Points in time that were probably meant.

use crate::options::fault::Fault;
use crate::options::suggest::without_part;
use crate::options::types::walltime::spoken;

pub(super) fn nearby(value: &str, fault: &Fault) -> Vec<String> {
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
