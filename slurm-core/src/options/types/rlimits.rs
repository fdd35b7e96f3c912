//! Resource limits: `parse_rlimits` of `src/common/slurm_rlimits_info.c`.

use crate::options::fault::Fault;
use crate::options::text::{Text, attempt, contains};

const NAMES: &[&str] =
    &["CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK", "AS"];
const SEPARATORS: &[u8] = b", \t";
const PREFIX: &str = "RLIMIT_";

/// Checks the names of limits: `ALL`, `NONE`, or a list, all in upper case.
///
/// Slurm's source: `parse_rlimits` in `src/common/slurm_rlimits_info.c`.
pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
    if text.is("ALL") || text.is("NONE") {
        return Ok(());
    }
    let mut rest = text;
    let mut found = false;
    while !rest.is_empty() {
        if contains(SEPARATORS, rest.byte(0)) {
            rest = rest.skip(1);
            continue;
        }
        let word = match rest.find_any(SEPARATORS) {
            Some(index) => rest.take(index),
            None => rest,
        };
        attempt!(limit(word));
        found = true;
        rest = rest.skip(word.len());
    }
    if found { Ok(()) } else { Err(text.fault("no limit is named")) }
}

const fn limit(word: Text<'_>) -> Result<(), Fault> {
    let short = short(word);
    let mut index = 0;
    while index < NAMES.len() {
        if short.is(NAMES[index]) {
            return Ok(());
        }
        index += 1;
    }
    if short.position_in(NAMES).is_some() || word.is_any_case("ALL") || word.is_any_case("NONE") {
        return Err(if word.is("ALL") || word.is("NONE") {
            word.fault("ALL and NONE stand alone")
        } else {
            word.is_fault("not in upper case, as limits are written")
        });
    }
    Err(word.is_fault(
        "not a limit; expected ALL, NONE or some of CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, \
         NOFILE, MEMLOCK, AS",
    ))
}

const fn short(word: Text<'_>) -> Text<'_> {
    let (prefix, rest) = word.split_at(PREFIX.len());
    if prefix.is(PREFIX) { rest } else { word }
}

/// The names without prefix, joined by commas.
pub(crate) fn canonical(text: Text<'_>) -> String {
    let names = text.to_text();
    let names: Vec<&str> = names
        .split([',', ' ', '\t'])
        .filter(|name| !name.is_empty())
        .map(|name| name.strip_prefix(PREFIX).unwrap_or(name))
        .collect();
    names.join(",")
}
