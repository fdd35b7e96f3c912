//! Licences: `_build_license_list` of `src/slurmctld/licenses.c`.

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::Grammar;
use crate::options::release::Release;
use crate::options::suggest::without_blanks;
use crate::options::text::{Text, is_space};

/// Licences and how many of each, all of them or any: `_build_license_list` in `src/slurmctld/licenses.c`. Only the
/// controller checks this value.
pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`name[:count]` joined by `,` (all of) or `|` (any of)",
    example: "matlab:2",
    details: "Without a count it is 1. `=` may stand for `:` (23.11) and is passed on as `:`; \
              `|` needs 25.05 and cannot be mixed with `,`.",
    canonical,
    separator: Some(","),
    since: |value| value.contains('|').then_some(Release::new(25, 5)),
    nearby: |value, _| {
        vec![
            value.trim_end_matches([':', '=']).to_owned(),
            value.replace('|', ","),
            without_blanks(value),
        ]
    },
    ..Grammar::ANY
};

fn canonical(text: Text<'_>) -> Result<String, Fault> {
    let any = text.find(b'|');
    if let Some(index) = any
        && text.find_any(b",;(").is_some()
    {
        return Err(text.at(index).fault("`|` (any of) and `,` (all of) cannot be mixed"));
    }
    // strtok skips empty places.
    let parts = text.parts_by(|list| list.find_any(b",;|")).filter(|part| !part.is_empty());
    let items: Vec<String> = parts.map(item).collect::<Result<_, _>>()?;
    if items.is_empty() {
        return Err(text.fault("no licence is named"));
    }
    Ok(items.join(if any.is_some() { "|" } else { "," }))
}

fn item(part: Text<'_>) -> Result<String, Fault> {
    let license = |name: Text<'_>, count: u64| format!("{}:{count}", name.to_text());
    let (name, count) = match part.find_any(b":=") {
        Some(index) => (part.take(index), Some(part.skip(index + 1))),
        None => (part, None),
    };
    if name.is_empty() {
        return Err(part.fault("the name of the licence before the number is missing"));
    }
    if let Some(index) = name.position(is_space) {
        return Err(name.at(index).fault("no blank may stand in a list of licences"));
    }
    let Some(count) = count else {
        return Ok(license(name, 1));
    };
    if count.is_empty() {
        return Err(
            part.fault("the number after the licence is missing (the controller would read 0)")
        );
    }
    if !count.is_digits() {
        return Err(count.is_fault("not a whole number of licences"));
    }
    match digits(count)? {
        value if value > i32::MAX as u64 => {
            Err(count.is_fault("more licences than Slurm can count"))
        }
        value => Ok(license(name, value)),
    }
}
