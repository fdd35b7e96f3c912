//! Licences: `_build_license_list` of `src/slurmctld/licenses.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt, is_space};

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

const SEPARATORS: &[u8] = b",;|";

impl Licenses {
    /// Checks a list of licences.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        if let Some(index) = text.find(b'|')
            && text.find_any(b",;(").is_some()
        {
            return Err(text
                .skip(index)
                .take(1)
                .fault("`|` (any of) and `,` (all of) cannot be mixed"));
        }
        let mut rest = Some(text);
        let mut found = false;
        while let Some(list) = rest {
            let (part, tail) = next_part(list);
            rest = tail;
            // strtok skips empty places.
            if !part.is_empty() {
                attempt!(item(part));
                found = true;
            }
        }
        if found { Ok(()) } else { Err(text.fault("no licence is named")) }
    }

    /// Reads a list of licences.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Self::check(text)?;
        let mut items = Vec::new();
        let mut rest = Some(text);
        while let Some(list) = rest {
            let (part, tail) = next_part(list);
            rest = tail;
            if !part.is_empty() {
                let (name, count) = item(part)?;
                items.push(License { name: name.to_text(), count });
            }
        }
        let any = items.len() > 1 && text.find(b'|').is_some();
        Ok(Self { any, items })
    }
}

const fn next_part(list: Text<'_>) -> (Text<'_>, Option<Text<'_>>) {
    match list.find_any(SEPARATORS) {
        Some(index) => (list.take(index), Some(list.skip(index + 1))),
        None => (list, None),
    }
}

const fn item(part: Text<'_>) -> Result<(Text<'_>, u32), Fault> {
    let (name, count) = match part.find_any(b":=") {
        Some(index) => (part.take(index), Some(part.skip(index + 1))),
        None => (part, None),
    };
    if name.is_empty() {
        return Err(part.fault("the name of the licence before the number is missing"));
    }
    let bytes = name.bytes();
    let mut index = 0;
    while index < bytes.len() {
        if is_space(bytes[index]) {
            return Err(name.skip(index).take(1).fault("no blank may stand in a list of licences"));
        }
        index += 1;
    }
    let Some(count) = count else {
        return Ok((name, 1));
    };
    if count.is_empty() {
        return Err(
            part.fault("the number after the licence is missing (the controller would read 0)")
        );
    }
    if !count.is_digits() {
        return Err(count.is_fault("not a whole number of licences"));
    }
    match attempt!(digits(count)) {
        value if value > i32::MAX as u64 => {
            Err(count.is_fault("more licences than Slurm can count"))
        }
        value => Ok((name, value as u32)),
    }
}

typed!(Licenses, Licenses);

impl fmt::Display for Licenses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.items.iter().enumerate() {
            if index > 0 {
                f.write_str(if self.any { "|" } else { "," })?;
            }
            write!(f, "{}:{}", item.name, item.count)?;
        }
        Ok(())
    }
}
