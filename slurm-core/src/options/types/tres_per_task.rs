//! Resources of each task: `--tres-per-task`.

use std::fmt;

use super::gres::{GresItem, named_item};
use super::resource::{ScaledCount, count, split_count};
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

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

    /// Checks a list of resources.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        let mut rest = Some(text);
        while let Some(list) = rest {
            let (part, tail) = list.next_part(b',');
            rest = tail;
            match attempt!(prefix(part)) {
                Prefix::Cpu(value) => {
                    attempt!(count(value));
                }
                Prefix::Gres(item) | Prefix::License(item) => {
                    attempt!(named_item(item));
                }
            }
        }
        Ok(())
    }

    /// Reads a list of resources.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let item = |part| {
            Ok(match prefix(part)? {
                Prefix::Cpu(value) => TresItem::Cpus(count(value)?),
                Prefix::Gres(item) => TresItem::Gres(named_item(item)?.build()),
                Prefix::License(item) => TresItem::License(named_item(item)?.build()),
            })
        };
        Ok(Self { items: text.parts(b',').map(item).collect::<Result<_, _>>()? })
    }
}

enum Prefix<'a> {
    Cpu(Text<'a>),
    Gres(Text<'a>),
    License(Text<'a>),
}

const EXCLUDED: &[&str] = &["mem", "energy", "node", "billing", "fs", "vmem", "pages", "bb"];

const fn prefix(part: Text<'_>) -> Result<Prefix<'_>, Fault> {
    if part.is_empty() {
        return Err(part.fault("a resource is missing beside the comma"));
    }
    if part.starts_with_any_case("gres/") {
        return Ok(Prefix::Gres(part.skip(5)));
    }
    if part.starts_with_any_case("license/") {
        return Ok(Prefix::License(part.skip(8)));
    }
    let (name, value) = split_count(part);
    if name.is_any_case("cpu") {
        return match value {
            Some((value, _)) => Ok(Prefix::Cpu(value)),
            None => Err(part.fault("the number of processors is missing")),
        };
    }
    let (kind, _) = name.next_part(b'/');
    if kind.position_in(EXCLUDED).is_some() {
        return Err(name.is_fault("not counted per task; only cpu, gres/… and license/… are"));
    }
    Err(name.is_fault("not a resource of a task; expected cpu, gres/name or license/name"))
}

typed!(TresPerTask, TresPerTask);

impl fmt::Display for TresPerTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, item) in self.items.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            let (prefix, item) = match item {
                TresItem::Cpus(count) => {
                    write!(f, "cpu={count}")?;
                    continue;
                }
                TresItem::Gres(item) => ("gres", item),
                TresItem::License(item) => ("license", item),
            };
            write!(f, "{prefix}/{}", item.name)?;
            if let Some(kind) = &item.kind {
                write!(f, ":{kind}")?;
            }
            write!(f, "={}", ScaledCount(item.count))?;
        }
        Ok(())
    }
}
