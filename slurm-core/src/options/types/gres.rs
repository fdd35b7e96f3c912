//! Generic resources: `--gres`.

use std::fmt;

use super::resource::{CountOrType, ScaledCount, count, count_or_type, split_count, word};
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, write_list};
use crate::options::text::Text;

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

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`name[:type][:count]` joined by commas, or `none`",
    example: "gpu:a100:2",
    details: "Names are case-sensitive. Without a count it is 1; counts may carry `K`, `M`, \
              `G`, `T` or `P` (powers of 1024; with `B`, of 1000). `gres:` and `gres/` before \
              the name and `=` before the count are read and not passed on, since no release \
              knows them all.",
    canonical: |text| Ok(Gres::read(text)?.to_string()),
    separator: Some(","),
    nearby: |value, _| nearby(value),
    ..Grammar::ANY
};

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

    /// Reads a list of resources.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        if text.is_any_case("none") {
            return Ok(Self { items: Vec::new() });
        }
        if text.is_any_case("help") || text.is_any_case("list") {
            return Err(text.fault("it would make sbatch print the known resources and exit"));
        }
        let mut items: Vec<GresItem> = Vec::new();
        for part in text.parts(b',') {
            items.push(item(part)?);
            let has = |names: &[&str]| items.iter().any(|item| names.contains(&item.name.as_str()));
            if has(&["gpu"]) && has(&["mps", "shard"]) {
                let reason = "whole GPUs and shares of GPUs (mps, shard) exclude each other";
                return Err(part.fault(reason));
            }
        }
        Ok(Self { items })
    }
}

/// One item: an optional prefix, then name, type and count.
fn item(part: Text<'_>) -> Result<GresItem, Fault> {
    if part.is_empty() {
        return Err(part.fault("a resource is missing beside the comma"));
    }
    let plain = part.starts_with_any_case("gres:") || part.starts_with_any_case("gres/");
    let (name, item) = named_item(if plain { part.skip(5) } else { part })?;
    if name.has(b'/') {
        return Err(name.is_fault("not a generic resource; the only prefix is `gres/`"));
    }
    if name.is_any_case("gres") {
        return Err(name.is_fault("not a resource but the prefix of one"));
    }
    if name.is_digits() {
        return Err(name.is_fault("a count without the name of a resource"));
    }
    if name.is("none") || name.is("NONE") {
        return Err(name.fault("`none` stands alone"));
    }
    if name.is_any_case("gpus") || (name.is_any_case("gpu") && !name.is("gpu")) {
        return Err(name.is_fault("not what Slurm calls GPUs: the name is `gpu`"));
    }
    Ok(item)
}

/// Name, type and count, and where the name stands.
pub(crate) fn named_item(part: Text<'_>) -> Result<(Text<'_>, GresItem), Fault> {
    let (head, last) = split_count(part);
    let (name, kind) = head.head(b':');
    if name.is_empty() {
        return Err(part.fault("the name of the resource is missing"));
    }
    word(name)?;
    if let Some(kind) = kind {
        if let Some(index) = kind.find(b':') {
            return Err(kind.skip(index).is_fault("one part too many: expected name:type:count"));
        }
        word(kind)?;
    }
    let (kind, count) = match (kind, last) {
        (_, None) => (None, 1),
        (_, Some((value, _))) if value.is_empty() => {
            return Err(part.fault("a type or a count is missing at the end"));
        }
        (None, Some((value, false))) => match count_or_type(value)? {
            CountOrType::Count(count) => (None, count),
            CountOrType::Type => (Some(value), 1),
        },
        (kind, Some((value, _))) => (kind, count(value)?),
    };
    Ok((name, GresItem { name: name.to_text(), kind: kind.map(Text::to_text), count }))
}

fn nearby(value: &str) -> Vec<String> {
    let lower = value.to_ascii_lowercase();
    let mut proposals = vec![
        value.trim_matches(',').to_owned(),
        value.replace(';', ","),
        value.replace(",,", ","),
        value.replace("::", ":"),
        value.trim_end_matches(':').to_owned(),
        lower.clone(),
        lower.replacen("gpus", "gpu", 1),
    ];
    proposals.extend(value.split_once('(').map(|(head, _)| head.to_owned()));
    proposals
}

typed!(Gres, Gres);

impl fmt::Display for Gres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.items.is_empty() {
            return f.write_str("none");
        }
        write_list(f, ",", &self.items)
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
