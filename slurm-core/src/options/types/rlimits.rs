//! Resource limits: `parse_rlimits` of `src/common/slurm_rlimits_info.c`.

use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::text::Text;

const NAMES: &[&str] =
    &["CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS"];
const PREFIX: &str = "RLIMIT_";

/// The names of limits: `ALL`, `NONE`, or a list, all in upper case; written without prefix.
///
/// Slurm's source: `parse_rlimits` in `src/common/slurm_rlimits_info.c`.
pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`ALL`, `NONE`, or some of CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, NOFILE, \
               MEMLOCK and AS, joined by commas",
    example: "STACK,NOFILE",
    details: "Upper case only; `RLIMIT_` may stand before a name.",
    canonical,
    separator: Some(","),
    words: NAMES,
    nearby: |value, _| vec![value.to_uppercase()],
    ..Grammar::ANY
};

fn canonical(text: Text<'_>) -> Result<String, Fault> {
    if text.is("ALL") || text.is("NONE") {
        return Ok(text.to_text());
    }
    let words = text.parts_by(|list| list.find_any(b", \t")).filter(|word| !word.is_empty());
    let names: Vec<&str> = words.map(limit).collect::<Result<_, _>>()?;
    if names.is_empty() { Err(text.fault("no limit is named")) } else { Ok(names.join(",")) }
}

fn limit(word: Text<'_>) -> Result<&'static str, Fault> {
    let (prefix, rest) = word.split_at(PREFIX.len());
    let short = if prefix.is(PREFIX) { rest } else { word };
    if let Some(name) = NAMES.iter().find(|name| short.is(name)) {
        return Ok(name);
    }
    Err(if word.is("ALL") || word.is("NONE") {
        word.fault("ALL and NONE stand alone")
    } else if short.position_in(NAMES).is_some() || word.position_in(&["ALL", "NONE"]).is_some() {
        word.is_fault("not in upper case, as limits are written")
    } else {
        word.is_fault(
            "not a limit; expected ALL, NONE or some of CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, \
             NOFILE, MEMLOCK, AS",
        )
    })
}
