//! Resources of each task: `--tres-per-task`.

use std::fmt;

use super::gres::{GresItem, named_item};
use super::resource::{ScaledCount, count, split_count};
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, write_list};
use crate::options::text::Text;

/// The resources of each task: `cpu`, `gres/name[:type]` and `license/name`, each with `=count` or
/// `:count`, joined by commas.
///
/// Slurm's source: `_validate_tres_per_task` in `src/common/slurm_opt.c`, `slurm_get_next_tres` in
/// `src/common/slurm_protocol_defs.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TresPerTask {
    items: Vec<TresItem>,
}

/// One resource of a [`TresPerTask`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TresItem {
    /// Processors.
    Cpus(u64),
    /// A generic resource.
    Gres(GresItem),
    /// Licences.
    License(GresItem),
}

impl TresPerTask {
    /// Returns the resources in the order written.
    #[must_use]
    pub fn items(&self) -> &[TresItem] {
        &self.items
    }

    /// Returns the number of processors of each task, if one is given.
    #[must_use]
    pub fn cpus(&self) -> Option<u64> {
        self.items.iter().find_map(|item| match item {
            TresItem::Cpus(count) => Some(*count),
            TresItem::Gres(_) | TresItem::License(_) => None,
        })
    }

    /// Returns the number of GPUs of each task.
    #[must_use]
    pub fn gpus(&self) -> u64 {
        let gpus = self.items.iter().filter_map(|item| match item {
            TresItem::Gres(item) if item.name == "gpu" => Some(item.count),
            TresItem::Gres(_) | TresItem::Cpus(_) | TresItem::License(_) => None,
        });
        gpus.fold(0, u64::saturating_add)
    }

    /// Reads a list of resources.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Ok(Self { items: text.parts(b',').map(item).collect::<Result<_, _>>()? })
    }
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`cpu=count`, `gres/name[:type]=count` or `license/name=count`, joined by commas",
    example: "cpu=4,gres/gpu=1",
    details: "`:` may stand for `=`. Nodes, memory and energy cannot be counted per task.",
    canonical: |text| Ok(TresPerTask::read(text)?.to_string()),
    separator: Some(","),
    nearby: |value, _| nearby(value),
    ..Grammar::ANY
};

const EXCLUDED: &[&str] = &["mem", "energy", "node", "billing", "fs", "vmem", "pages", "bb"];

fn item(part: Text<'_>) -> Result<TresItem, Fault> {
    if part.is_empty() {
        return Err(part.fault("a resource is missing beside the comma"));
    }
    if part.starts_with_any_case("gres/") {
        return Ok(TresItem::Gres(named_item(part.skip(5))?.1));
    }
    if part.starts_with_any_case("license/") {
        return Ok(TresItem::License(named_item(part.skip(8))?.1));
    }
    let (name, value) = split_count(part);
    if name.is_any_case("cpu") {
        return match value {
            Some((value, _)) => Ok(TresItem::Cpus(count(value)?)),
            None => Err(part.fault("the number of processors is missing")),
        };
    }
    let kind = name.parts(b'/').next().unwrap_or(name);
    if kind.position_in(EXCLUDED).is_some() {
        return Err(name.is_fault("not counted per task; only cpu, gres/… and license/… are"));
    }
    Err(name.is_fault("not a resource of a task; expected cpu, gres/name or license/name"))
}

typed!(TresPerTask, TresPerTask);

impl fmt::Display for TresPerTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, ",", &self.items)
    }
}

impl fmt::Display for TresItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, item) = match self {
            Self::Cpus(count) => return write!(f, "cpu={count}"),
            Self::Gres(item) => ("gres", item),
            Self::License(item) => ("license", item),
        };
        write!(f, "{prefix}/{}", item.name)?;
        if let Some(kind) = &item.kind {
            write!(f, ":{kind}")?;
        }
        write!(f, "={}", ScaledCount(item.count))
    }
}

fn nearby(value: &str) -> Vec<String> {
    let plain = value.trim_matches(',');
    let item = |item: &str| match item.strip_prefix("cpus") {
        Some(rest) => format!("cpu{rest}"),
        None if item.starts_with("gpu") || item.starts_with("shard") => format!("gres/{item}"),
        None => item.to_owned(),
    };
    let items: Vec<String> = plain.split(',').map(item).collect();
    vec![plain.to_owned(), items.join(",")]
}
