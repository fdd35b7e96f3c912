//! Generic resources: `--gres`.

use std::fmt;

use super::resource::{CountOrType, ScaledCount, count, count_or_type, split_count, word};
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

/// Generic resources on each node: `name[:type][:count]` joined by commas, or `none`.
///
/// A count may carry `K`, `M`, `G`, `T` or `P` (1024; with `B`, 1000); without one it is 1. The
/// prefixes `gres:` (up to 23.02) and `gres/`, and `=` before the count (from 23.11), are read and
/// never written, so that every release takes the canonical form. Names are case-sensitive and
/// defined by the cluster's `GresTypes`.
///
/// Slurm's source: `_get_next_gres` in `src/common/gres.c` up to 23.02;
/// `slurm_get_next_tres` in `src/common/slurm_protocol_defs.c` from 23.11 on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gres {
    items: Vec<GresItem>,
}

/// One resource of a [`Gres`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GresItem {
    /// The name, such as `gpu`.
    pub name: String,
    /// The type, such as `a100`.
    pub kind: Option<String>,
    /// How many on each node.
    pub count: u64,
}

impl Gres {
    /// Returns the resources in the order written; none for `none`.
    #[must_use]
    pub fn items(&self) -> &[GresItem] {
        &self.items
    }

    /// Returns how many resources of this name there are, of all types.
    #[must_use]
    pub fn total(&self, name: &str) -> u64 {
        let named = self.items.iter().filter(|item| item.name == name);
        named.fold(0, |sum, item| sum.saturating_add(item.count))
    }

    /// Checks a list of resources.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        if text.is_any_case("none") {
            return Ok(());
        }
        if text.is_any_case("help") || text.is_any_case("list") {
            return Err(text.fault("it would make sbatch print the known resources and exit"));
        }
        let mut rest = Some(text);
        let mut whole = false;
        let mut shared = false;
        while let Some(list) = rest {
            let (part, tail) = list.next_part(b',');
            rest = tail;
            let item = attempt!(item(part));
            whole = whole || item.name.is("gpu");
            shared = shared || item.name.is("mps") || item.name.is("shard");
            if whole && shared {
                return Err(
                    part.fault("whole GPUs and shares of GPUs (mps, shard) exclude each other")
                );
            }
        }
        Ok(())
    }

    /// Reads a list of resources.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Self::check(text)?;
        if text.is_any_case("none") {
            return Ok(Self { items: Vec::new() });
        }
        let items = text.parts(b',').map(|part| item(part).map(ItemText::build));
        Ok(Self { items: items.collect::<Result<_, _>>()? })
    }
}

/// One item as it is found in the text.
pub(crate) struct ItemText<'a> {
    pub(crate) name: Text<'a>,
    kind: Option<Text<'a>>,
    count: u64,
}

impl ItemText<'_> {
    pub(crate) fn build(self) -> GresItem {
        GresItem {
            name: self.name.to_text(),
            kind: self.kind.map(Text::to_text),
            count: self.count,
        }
    }
}

/// One item: an optional prefix, then name, type and count.
const fn item(part: Text<'_>) -> Result<ItemText<'_>, Fault> {
    if part.is_empty() {
        return Err(part.fault("a resource is missing beside the comma"));
    }
    let plain = part.starts_with_any_case("gres:") || part.starts_with_any_case("gres/");
    let item = attempt!(named_item(if plain { part.skip(5) } else { part }));
    if item.name.find(b'/').is_some() {
        return Err(item.name.is_fault("not a generic resource; the only prefix is `gres/`"));
    }
    if item.name.is_any_case("gres") {
        return Err(item.name.is_fault("not a resource but the prefix of one"));
    }
    if item.name.is_digits() {
        return Err(item.name.is_fault("a count without the name of a resource"));
    }
    if item.name.is("none") || item.name.is("NONE") {
        return Err(item.name.fault("`none` stands alone"));
    }
    if item.name.is_any_case("gpus") || (item.name.is_any_case("gpu") && !item.name.is("gpu")) {
        return Err(item.name.is_fault("not what Slurm calls GPUs: the name is `gpu`"));
    }
    Ok(item)
}

/// Name, type and count.
pub(crate) const fn named_item(part: Text<'_>) -> Result<ItemText<'_>, Fault> {
    let (head, last) = split_count(part);
    let (name, kind) = match head.split_once(b':') {
        Some((name, kind)) => (name, Some(kind)),
        None => (head, None),
    };
    if name.is_empty() {
        return Err(part.fault("the name of the resource is missing"));
    }
    attempt!(word(name));
    if let Some(kind) = kind {
        if let Some(index) = kind.find(b':') {
            return Err(kind.skip(index).is_fault("one part too many: expected name:type:count"));
        }
        attempt!(word(kind));
    }
    match (kind, last) {
        (_, None) => Ok(ItemText { name, kind: None, count: 1 }),
        (_, Some((value, _))) if value.is_empty() => {
            Err(part.fault("a type or a count is missing at the end"))
        }
        (None, Some((value, false))) => match attempt!(count_or_type(value)) {
            CountOrType::Count(count) => Ok(ItemText { name, kind: None, count }),
            CountOrType::Type => Ok(ItemText { name, kind: Some(value), count: 1 }),
        },
        (kind, Some((value, _))) => Ok(ItemText { name, kind, count: attempt!(count(value)) }),
    }
}

typed!(Gres, Gres);

impl fmt::Display for Gres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.items.is_empty() {
            return f.write_str("none");
        }
        for (index, item) in self.items.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            write!(f, "{item}")?;
        }
        Ok(())
    }
}

impl fmt::Display for GresItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(kind) = &self.kind {
            write!(f, ":{kind}")?;
        }
        write!(f, ":{}", ScaledCount(self.count))
    }
}
