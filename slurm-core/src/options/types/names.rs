//! Lists of names, and the simple grammars of features.

use super::name;
use super::number::digits;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt, is_space};

/// Checks names joined by commas; empty places are skipped, as `strtok` does.
pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
    let (mut rest, mut found) = (Some(text), false);
    while let Some(list) = rest {
        let (name, tail) = list.next_part(b',');
        rest = tail;
        if !name.is_empty() {
            attempt!(name::check(name));
            found = true;
        }
    }
    if found { Ok(()) } else { Err(text.fault("no name stands between the commas")) }
}

/// The names without empty places.
pub(crate) fn canonical(text: Text<'_>) -> String {
    let names = text.to_text();
    let names: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
    names.join(",")
}

/// Checks features joined by `&`, `|` or `,` without brackets or counts.
///
/// Slurm's source: `_valid_batch_features` in `src/slurmctld/job_scheduler.c`.
pub(crate) const fn check_features(text: Text<'_>) -> Result<(), Fault> {
    let mut rest = Some(text);
    while let Some(list) = rest {
        let (name, tail) = match list.find_any(b"&|,") {
            Some(index) => (list.take(index), Some(list.skip(index + 1))),
            None => (list, None),
        };
        rest = tail;
        if name.is_empty() {
            return Err(list.take(1).fault("the name of a feature is missing"));
        }
        let mut index = 0;
        while index < name.len() {
            let byte = name.byte(index);
            if is_space(byte) {
                return Err(name.skip(index).take(1).fault("no blank may stand between features"));
            }
            if matches!(byte, b'[' | b']' | b'(' | b')' | b'*') {
                return Err(name
                    .skip(index)
                    .take(1)
                    .is_fault("not possible here: only names joined by `&` or `|` are"));
            }
            index += 1;
        }
    }
    Ok(())
}

/// Checks features of clusters, negated as a whole by a leading `!`.
pub(crate) const fn check_cluster_features(text: Text<'_>) -> Result<(), Fault> {
    let body = if text.byte(0) == b'!' { text.skip(1) } else { text };
    if body.is_empty() {
        return Err(text.fault("the features after `!` are missing"));
    }
    check_features(body)
}

/// Checks how the login environment is loaded: seconds, then `S` or `L`.
///
/// Slurm's source: `arg_set_get_user_env` in `src/common/slurm_opt.c`, up to 24.11.
pub(crate) const fn check_user_environment(text: Text<'_>) -> Result<(), Fault> {
    let (number, mode) = text.split_at(text.leading_digits());
    if !number.is_empty() && attempt!(digits(number)) > i32::MAX as u64 {
        return Err(number.is_fault("too many seconds"));
    }
    if mode.is_empty() || mode.is_any_case("S") || mode.is_any_case("L") {
        return Ok(());
    }
    Err(mode.is_fault("neither `S` (su) nor `L` (login shell), which may follow the seconds"))
}
