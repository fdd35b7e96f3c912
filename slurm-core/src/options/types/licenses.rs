//! Licences: `_build_license_list` of `src/slurmctld/licenses.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, write_list};
use crate::options::release::Release;
use crate::options::suggest::without_blanks;
use crate::options::text::{Text, is_space};

/// Licences and how many of each: `name[:count]` joined by `,` or `;` (all of them), or by `|` (any
/// of them, from 25.05).
///
/// Without a count it is 1. `=` before the count (from 23.11) is read and written as `:`. Names
/// are the cluster's.
///
/// Only the controller checks this value.
/// Slurm's source: `_build_license_list` in `src/slurmctld/licenses.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Licenses {
    /// Whether one of the licences is enough.
    pub any: bool,
    /// The licences in the order written.
    pub items: Vec<License>,
}

/// A number of one licence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct License {
    /// The name, perhaps with `@server`.
    pub name: String,
    /// How many.
    pub count: u32,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`name[:count]` joined by `,` (all of) or `|` (any of)",
    example: "matlab:2",
    details: "Without a count it is 1. `=` may stand for `:` (23.11) and is passed on as `:`; \
              `|` needs 25.05 and cannot be mixed with `,`.",
    canonical: |text| Ok(Licenses::read(text)?.to_string()),
    separator: Some(","),
    since: |value| {
        value.parse::<Licenses>().is_ok_and(|list| list.any).then_some(Release::new(25, 5))
    },
    nearby: |value, _| {
        vec![
            value.trim_end_matches([':', '=']).to_owned(),
            value.replace('|', ","),
            without_blanks(value),
        ]
    },
    ..Grammar::ANY
};

impl Licenses {
    /// Reads a list of licences.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let any = text.find(b'|');
        if let Some(index) = any
            && text.find_any(b",;(").is_some()
        {
            return Err(text.at(index).fault("`|` (any of) and `,` (all of) cannot be mixed"));
        }
        // strtok skips empty places.
        let parts = text.parts_by(|list| list.find_any(b",;|")).filter(|part| !part.is_empty());
        let items: Vec<License> = parts.map(item).collect::<Result<_, _>>()?;
        if items.is_empty() {
            return Err(text.fault("no licence is named"));
        }
        Ok(Self { any: items.len() > 1 && any.is_some(), items })
    }
}

fn item(part: Text<'_>) -> Result<License, Fault> {
    let license = |name: Text<'_>, count| License { name: name.to_text(), count };
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
        value => Ok(license(name, value as u32)),
    }
}

typed!(Licenses, Licenses);

impl fmt::Display for Licenses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = self.items.iter().map(|item| format!("{}:{}", item.name, item.count));
        write_list(f, if self.any { "|" } else { "," }, items)
    }
}
