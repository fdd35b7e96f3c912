//! Points in time: `parse_time` of `src/common/parse_time.c`.

mod read;
mod value;

pub(crate) use read::MAX_SECONDS;
pub use value::DateTime;

use super::walltime::spoken;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::suggest::without_part;

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`YYYY-MM-DD[THH:MM[:SS]]`, `HH:MM`, `now+COUNTunit` or a word",
    example: "now+1hour",
    details: "A date (`2030-01-20`, `01/20`, `01/20/30`, `today`, `tomorrow`), a time of day \
              (`16:00`, `16:00:30`, `4:00pm`, `midnight`, `noon`, `fika`, `teatime`, and \
              `elevenses`, which is passed on as 11:00), or both, apart by `T`, `-` or a blank; \
              `now`, `now+COUNT` with `seconds` (the default), `minutes`, `hours`, `days` or \
              `weeks`; `uts` and the seconds since 1970. All in the time zone of the machine \
              that submits.",
    canonical: |text| Ok(DateTime::read(text)?.to_string()),
    words: &["today", "tomorrow", "midnight", "noon", "fika", "teatime"],
    nearby,
    ..Grammar::ANY
};

/// Points in time that were probably meant.
fn nearby(value: &str, fault: &Fault) -> Vec<String> {
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
