//! Binding of tasks to memory: `slurm_verify_mem_bind` of `src/common/slurm_resource_info.c`.

use std::fmt;

use super::bind_list::{entry, is_hexadecimal};
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, LONG};
use crate::options::release::Release;
use crate::options::text::Text;

/// How tasks are bound to memory.
///
/// Joined by commas: one of `none`, `local`, `rank`, `map_mem:list`, `mask_mem:list`, and any of
/// `quiet`, `verbose`, `prefer`, `sort`, `nosort` (the last two until 25.05). `no`, `q`, `v` and
/// `p` are short forms. List entries may be repeated with `*count`; masks are hexadecimal.
///
/// Slurm's source: `slurm_verify_mem_bind`, `_expand_mult` in `src/common/slurm_resource_info.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemBind {
    items: Vec<String>,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`none`, `local`, `rank`, `map_mem:list`, `mask_mem:list`, `quiet`, `verbose`, \
               `prefer`, `sort`, `nosort`, joined by commas",
    example: "local",
    details: "List entries are numbers of memory nodes, or hexadecimal masks, perhaps with \
              `*count`. `sort` and `nosort` are gone in 25.11.",
    canonical: |text| Ok(MemBind::read(text)?.to_string()),
    longest: LONG,
    separator: Some(","),
    until: |value| {
        let is_gone = |word| matches!(word, "sort" | "nosort");
        value.split(',').any(is_gone).then_some(Release::new(25, 11))
    },
    words: &["none", "local", "rank", "map_mem", "mask_mem", "verbose", "prefer"],
    nearby: |value, _| vec![value.replace('-', "_")],
    ..Grammar::ANY
};

const WORDS: &[(&str, &str)] = &[
    ("none", "none"),
    ("no", "none"),
    ("local", "local"),
    ("rank", "rank"),
    ("quiet", "quiet"),
    ("q", "quiet"),
    ("verbose", "verbose"),
    ("v", "verbose"),
    ("prefer", "prefer"),
    ("p", "prefer"),
    ("sort", "sort"),
    ("nosort", "nosort"),
];
const UNKNOWN: &str = "not a way to bind memory; expected none, local, rank, map_mem:LIST, \
                       mask_mem:LIST, quiet, verbose, prefer, sort or nosort";

impl MemBind {
    /// Returns the parts in the order written, in their long forms.
    #[must_use]
    pub fn items(&self) -> &[String] {
        &self.items
    }

    /// Reads a binding.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let mut items = Vec::new();
        let mut rest = Some(text);
        while let Some(list) = rest {
            let (item, tail) = next_item(list)?;
            items.push(item);
            rest = tail;
        }
        Ok(Self { items })
    }
}

/// One item and what follows its comma; the commas of a list of numbers belong to the item.
fn next_item(text: Text<'_>) -> Result<(String, Option<Text<'_>>), Fault> {
    let (word, rest) = text.head(b',');
    if word.is_empty() {
        return Err(text.fault("a word is missing beside the comma"));
    }
    if let Some((_, long)) = WORDS.iter().find(|(short, _)| word.is_any_case(short)) {
        return Ok(((*long).to_owned(), rest));
    }
    let Some(separator) = word.find_any(b":=") else {
        if word.is_any_case("help") {
            return Err(word.fault("it would make sbatch print the ways to bind and exit"));
        }
        if is_map(word) || is_mask(word) {
            return Err(word.fault("a `:` and a list of numbers must follow"));
        }
        return Err(word.is_fault(UNKNOWN));
    };
    let name = word.take(separator);
    let mask = is_mask(name);
    if !mask && !is_map(name) {
        return Err(name.is_fault(UNKNOWN));
    }
    if word.len() == separator + 1 {
        return Err(word.fault("the list of numbers is missing"));
    }
    let (list, rest) = take_list(text.skip(separator + 1), mask)?;
    let list = list.to_text();
    let item = if mask {
        format!("mask_mem:{}", list.to_ascii_lowercase())
    } else {
        format!("map_mem:{list}")
    };
    Ok((item, rest))
}

fn is_map(name: Text<'_>) -> bool {
    name.is_any_case("map_mem") || name.is_any_case("mapmem")
}

fn is_mask(name: Text<'_>) -> bool {
    name.is_any_case("mask_mem") || name.is_any_case("maskmem")
}

/// The list at the start, checked: its entries and all further parts that look like entries.
fn take_list(text: Text<'_>, mask: bool) -> Result<(Text<'_>, Option<Text<'_>>), Fault> {
    let mut length = 0;
    for part in text.parts(b',') {
        if length > 0 && !part.byte(0).is_ascii_digit() && !is_hexadecimal(part) {
            return Ok((text.take(length), Some(text.skip(length + 1))));
        }
        entry(part, mask)?;
        length = part.end() - text.start();
    }
    Ok((text, None))
}

typed!(MemBind, MemBind);

impl fmt::Display for MemBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.items.join(","))
    }
}
