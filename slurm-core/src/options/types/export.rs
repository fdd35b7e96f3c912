//! Environment variables: `env_merge_filter` of `src/common/env.c`.

use std::fmt;

use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

/// Which environment variables a job inherits.
///
/// `ALL`, `NONE`, `NIL` (only what Slurm sets), or a list of `NAME`, `NAME=value` and `ALL` joined
/// by commas. Quotes around an item keep its commas together. sbatch refuses nothing here; unclosed
/// quotes and values without a name are refused, because they get lost on the way.
///
/// Slurm's source: `env_merge_filter`, `find_quote_token` in `src/common/env.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Export {
    items: Vec<String>,
}

const ALONE: &[&str] = &["ALL", "NONE", "NIL"];

impl Export {
    /// Returns the items in the order written, as written.
    #[must_use]
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// Returns whether the whole environment of the submission is inherited.
    #[must_use]
    pub fn has_all(&self) -> bool {
        self.items.iter().any(|item| item == "ALL")
    }

    /// Checks a list of variables.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        let mut rest = Some(text);
        let mut found = false;
        while let Some(list) = rest {
            let (item, tail) = attempt!(next_item(list));
            rest = tail;
            if item.is_empty() {
                continue;
            }
            if item.byte(0) == b'=' {
                return Err(item.is_fault("a value without the name of a variable"));
            }
            found = true;
        }
        if found { Ok(()) } else { Err(text.fault("no variable is named; write NONE for none")) }
    }

    /// Reads a list of variables.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Self::check(text)?;
        let mut items = Vec::new();
        let mut rest = Some(text);
        while let Some(list) = rest {
            let (item, tail) = next_item(list)?;
            rest = tail;
            if item.is_empty() {
                continue;
            }
            let word = item.position_in(ALONE).and_then(|index| ALONE.get(index));
            items.push(match word {
                Some(word) => (*word).to_owned(),
                None => item.to_text(),
            });
        }
        Ok(Self { items })
    }
}

/// One item up to a comma outside quotes, and what follows.
const fn next_item(text: Text<'_>) -> Result<(Text<'_>, Option<Text<'_>>), Fault> {
    let mut single = None;
    let mut double = None;
    let mut index = 0;
    while index < text.len() {
        match text.byte(index) {
            b'\'' => single = if single.is_some() { None } else { Some(index) },
            b'"' => double = if double.is_some() { None } else { Some(index) },
            b',' if single.is_none() && double.is_none() => {
                return Ok((text.take(index), Some(text.skip(index + 1))));
            }
            _ => {}
        }
        index += 1;
    }
    match (single, double) {
        (None, None) => Ok((text, None)),
        (Some(start), _) | (None, Some(start)) => {
            Err(text.skip(start).take(1).fault("this quote is not closed"))
        }
    }
}

typed!(Export, Export);

impl fmt::Display for Export {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.items.join(","))
    }
}
