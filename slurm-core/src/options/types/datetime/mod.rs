//! Points in time: `parse_time` of `src/common/parse_time.c`.

mod nearby;
mod read;
mod value;

pub(crate) use read::MAX_SECONDS;
pub use value::DateTime;

use crate::options::grammar::Grammar;

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
    nearby: nearby::nearby,
    ..Grammar::ANY
};
