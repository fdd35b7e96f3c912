//! Binding of tasks to memory: `slurm_verify_mem_bind` of `src/common/slurm_resource_info.c`.

use std::fmt;

use super::bind_list::{entry, is_hexadecimal};
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

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

    /// Checks a binding.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        let mut rest = Some(text);
        while let Some(list) = rest {
            rest = attempt!(next_item(list)).1;
        }
        Ok(())
    }

    /// Reads a binding.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let mut items = Vec::new();
        let mut rest = Some(text);
        while let Some(list) = rest {
            let (item, tail) = next_item(list)?;
            rest = tail;
            items.push(match item {
                Item::Word(index) => WORDS[index].1.to_owned(),
                Item::Map(list) => format!("map_mem:{}", list.to_text()),
                Item::Mask(list) => format!("mask_mem:{}", list.to_text().to_ascii_lowercase()),
            });
        }
        Ok(Self { items })
    }
}

#[derive(Clone, Copy)]
enum Item<'a> {
    Word(usize),
    Map(Text<'a>),
    Mask(Text<'a>),
}

/// One item and what follows its comma; the commas of a list of numbers belong to the item.
const fn next_item(text: Text<'_>) -> Result<(Item<'_>, Option<Text<'_>>), Fault> {
    let (word, rest) = text.next_part(b',');
    if word.is_empty() {
        return Err(text.fault("a word is missing beside the comma"));
    }
    let mut index = 0;
    while index < WORDS.len() {
        if word.is_any_case(WORDS[index].0) {
            return Ok((Item::Word(index), rest));
        }
        index += 1;
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
    let list = text.skip(separator + 1);
    if word.len() == separator + 1 {
        return Err(word.fault("the list of numbers is missing"));
    }
    let (list, rest) = attempt!(take_list(list, mask));
    Ok((if mask { Item::Mask(list) } else { Item::Map(list) }, rest))
}

const fn is_map(name: Text<'_>) -> bool {
    name.is_any_case("map_mem") || name.is_any_case("mapmem")
}

const fn is_mask(name: Text<'_>) -> bool {
    name.is_any_case("mask_mem") || name.is_any_case("maskmem")
}

/// The list at the start, checked: its entries and all further parts that look like entries.
const fn take_list(text: Text<'_>, mask: bool) -> Result<(Text<'_>, Option<Text<'_>>), Fault> {
    let mut length = 0;
    let mut rest = Some(text);
    while let Some(list) = rest {
        let (part, tail) = list.next_part(b',');
        if length > 0 && !part.byte(0).is_ascii_digit() && !is_hexadecimal(part) {
            return Ok((text.take(length), Some(list)));
        }
        attempt!(entry(part, mask));
        length = part.end() - text.start();
        rest = tail;
    }
    Ok((text, None))
}

typed!(MemBind, MemBind);

impl fmt::Display for MemBind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.items.join(","))
    }
}
