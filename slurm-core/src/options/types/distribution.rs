//! How tasks are spread: `verify_dist_type` of `src/common/proc_args.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, write_list};
use crate::options::text::Text;

/// How tasks are spread over nodes, sockets and cores.
///
/// `nodes[:sockets[:cores]][,pack|,nopack]` with `block`, `cyclic`, `fcyclic` (not for nodes) or
/// `*` (Slurm's default); `plane=size`; `arbitrary`, which needs a list of nodes; `pack` or
/// `nopack` alone.
///
/// Slurm's source: `verify_dist_type`, `_parse_dist_base`, `_parse_plane_dist` in
/// `src/common/proc_args.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Distribution {
    /// How tasks are spread.
    pub layout: Layout,
    /// Whether nodes are filled one after the other (`pack`) or evenly (`nopack`).
    pub pack: Option<bool>,
}

/// The main part of a [`Distribution`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Left to Slurm.
    Default,
    /// As the list of nodes says.
    Arbitrary,
    /// In blocks of this many tasks.
    Plane(u32),
    /// For nodes, sockets and cores, as many as are given.
    Levels(Vec<Spread>),
}

/// How tasks are spread on one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spread {
    /// As Slurm does by default (`*`).
    Default,
    /// Neighbouring tasks together.
    Block,
    /// Round robin.
    Cyclic,
    /// Round robin, each processor of a task too.
    FullyCyclic,
}

const SPREADS: &[(&str, Spread)] = &[
    ("*", Spread::Default),
    ("block", Spread::Block),
    ("cyclic", Spread::Cyclic),
    ("fcyclic", Spread::FullyCyclic),
];
const UNKNOWN: &str = "not a distribution; expected block, cyclic, fcyclic (not first), \
                       plane=SIZE, arbitrary or *";

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "`nodes[:sockets[:cores]]`, `plane=SIZE` or `arbitrary`",
    example: "block:cyclic",
    details: "Levels are `block`, `cyclic`, `fcyclic` (not for nodes) or `*` for Slurm's \
              default; `,pack` or `,nopack` may follow. `plane` counts tasks.",
    canonical: |text| Ok(Distribution::read(text)?.to_string()),
    words: &["block", "cyclic", "fcyclic", "plane", "arbitrary"],
    instead: |part| match part {
        _ if part.starts_with("cyc") => Some("cyclic"),
        _ if part.starts_with("plane") => Some("plane"),
        _ => None,
    },
    nearby: |value, _| vec![value.replace(':', "="), value.replace(' ', ":")],
    ..Grammar::ANY
};

impl Distribution {
    /// Returns the number of tasks in a plane, if tasks are spread in planes.
    #[must_use]
    pub const fn plane(&self) -> Option<u32> {
        match self.layout {
            Layout::Plane(size) => Some(size),
            _ => None,
        }
    }

    /// Reads a distribution.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        if text.starts_with_any_case("plane") {
            return Ok(Self { layout: Layout::Plane(plane(text)?), pack: None });
        }
        let mut words = text.parts(b',');
        let base = words.next().filter(|base| !base.is_empty());
        let base =
            base.ok_or_else(|| text.fault("the distribution before the comma is missing"))?;
        let mut pack = packs(base);
        let layout = if pack.is_some() { Layout::Default } else { layout(base)? };
        for word in words.filter(|word| !word.is_empty()) {
            let packs = packs(word).ok_or_else(|| word.is_fault("neither pack nor nopack"))?;
            if pack.is_some_and(|pack| pack != packs) {
                return Err(word.fault("pack and nopack exclude each other"));
            }
            pack = Some(packs);
        }
        Ok(Self { layout, pack })
    }
}

fn packs(word: Text<'_>) -> Option<bool> {
    let is = |flag| word.is_any_case(flag);
    if is("pack") { Some(true) } else { is("nopack").then_some(false) }
}

fn layout(base: Text<'_>) -> Result<Layout, Fault> {
    let is_arbitrary =
        |word: Text<'_>| word.is_any_case("arbitrary") || word.is_any_case("hostfile");
    if is_arbitrary(base) {
        return Ok(Layout::Arbitrary);
    }
    let mut levels = Vec::new();
    // strtok skips empty levels.
    for word in base.parts(b':').filter(|word| !word.is_empty()) {
        if levels.len() == 3 {
            return Err(word.is_fault("one level too many: nodes, sockets, cores"));
        }
        match SPREADS.iter().find(|(name, _)| word.is_any_case(name)) {
            Some((_, Spread::FullyCyclic)) if levels.is_empty() => {
                return Err(word.is_fault("only for sockets and cores; nodes take block or cyclic"));
            }
            Some((_, spread)) => levels.push(*spread),
            None if is_arbitrary(word) => {
                return Err(word.is_fault("for the whole job; it takes no levels beside it"));
            }
            None => return Err(word.is_fault(UNKNOWN)),
        }
    }
    if levels.is_empty() {
        return Err(base.fault("the distribution is missing"));
    }
    Ok(Layout::Levels(levels))
}

fn plane(text: Text<'_>) -> Result<u32, Fault> {
    let Some((name, size)) = text.split_once(b'=') else {
        return Err(text.fault("plane needs a size, as in plane=4"));
    };
    if !name.is_any_case("plane") {
        return Err(name.is_fault("not `plane` (sbatch compares the first five letters alone)"));
    }
    let body = size.unsigned();
    if !body.is_digits() {
        return Err(if size.is_empty() {
            text.fault("the size after `plane=` is missing")
        } else {
            size.is_fault("not the size of a plane: a whole number alone must follow `plane=`")
        });
    }
    match digits(body)? {
        0 => Err(size.fault("a plane of zero tasks leads nowhere")),
        value if value > i32::MAX as u64 => {
            Err(size.is_fault("too large a plane (2147483647 is the most)"))
        }
        value => Ok(value as u32),
    }
}

typed!(Distribution, Distribution);

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut comma = ",";
        match &self.layout {
            Layout::Default => comma = "",
            Layout::Arbitrary => f.write_str("arbitrary")?,
            Layout::Plane(size) => write!(f, "plane={size}")?,
            Layout::Levels(levels) => {
                let name = |level: &Spread| {
                    SPREADS
                        .iter()
                        .find(|(_, spread)| spread == level)
                        .map_or("*", |(name, _)| *name)
                };
                write_list(f, ":", levels.iter().map(name))?;
            }
        }
        match self.pack {
            Some(true) => write!(f, "{comma}pack"),
            Some(false) => write!(f, "{comma}nopack"),
            None => Ok(()),
        }
    }
}
