//! How tasks are spread: `verify_dist_type` of `src/common/proc_args.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

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

const WORDS: &[&str] = &["*", "block", "cyclic", "fcyclic"];
const UNKNOWN: &str = "not a distribution; expected block, cyclic, fcyclic (not first), \
                       plane=SIZE, arbitrary or *";

impl Distribution {
    /// Returns the number of tasks in a plane, if tasks are spread in planes.
    #[must_use]
    pub const fn plane(&self) -> Option<u32> {
        match self.layout {
            Layout::Plane(size) => Some(size),
            _ => None,
        }
    }

    /// Checks a distribution.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        if text.starts_with_any_case("plane") {
            return match plane(text) {
                Ok(_) => Ok(()),
                Err(fault) => Err(fault),
            };
        }
        let (base, flags) = text.next_part(b',');
        if base.is_empty() {
            return Err(text.fault("the distribution before the comma is missing"));
        }
        let mut pack = 0_u8;
        if is_flag(base) {
            pack |= flag(base);
        } else {
            attempt!(check_levels(base));
        }
        let mut rest = flags;
        while let Some(list) = rest {
            let (word, tail) = list.next_part(b',');
            rest = tail;
            if word.is_empty() {
                continue;
            }
            if !is_flag(word) {
                return Err(word.is_fault("neither pack nor nopack"));
            }
            pack |= flag(word);
            if pack == 3 {
                return Err(word.fault("pack and nopack exclude each other"));
            }
        }
        Ok(())
    }

    /// Reads a distribution.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Self::check(text)?;
        if text.starts_with_any_case("plane") {
            return Ok(Self { layout: Layout::Plane(plane(text)?), pack: None });
        }
        let (base, flags) = text.next_part(b',');
        let mut pack = None;
        let layout = if is_flag(base) {
            pack = Some(base.is_any_case("pack"));
            Layout::Default
        } else if is_arbitrary(base) {
            Layout::Arbitrary
        } else {
            Layout::Levels(base.parts(b':').filter_map(spread).collect())
        };
        for word in flags.into_iter().flat_map(|flags| flags.parts(b',')) {
            if !word.is_empty() {
                pack = Some(word.is_any_case("pack"));
            }
        }
        Ok(Self { layout, pack })
    }
}

const fn is_flag(word: Text<'_>) -> bool {
    word.is_any_case("pack") || word.is_any_case("nopack")
}

const fn flag(word: Text<'_>) -> u8 {
    if word.is_any_case("pack") { 1 } else { 2 }
}

const fn is_arbitrary(base: Text<'_>) -> bool {
    base.is_any_case("arbitrary") || base.is_any_case("hostfile")
}

const fn check_levels(base: Text<'_>) -> Result<(), Fault> {
    if is_arbitrary(base) {
        return Ok(());
    }
    let mut rest = Some(base);
    let mut level = 0;
    while let Some(list) = rest {
        let (word, tail) = list.next_part(b':');
        rest = tail;
        // strtok skips empty levels.
        if word.is_empty() {
            continue;
        }
        if level == 3 {
            return Err(word.is_fault("one level too many: nodes, sockets, cores"));
        }
        match word.position_in(WORDS) {
            Some(3) if level == 0 => {
                return Err(word.is_fault("only for sockets and cores; nodes take block or cyclic"));
            }
            Some(_) => level += 1,
            None if is_arbitrary(word) => {
                return Err(word.is_fault("for the whole job; it takes no levels beside it"));
            }
            None => return Err(word.is_fault(UNKNOWN)),
        }
    }
    if level == 0 { Err(base.fault("the distribution is missing")) } else { Ok(()) }
}

const fn plane(text: Text<'_>) -> Result<u32, Fault> {
    let Some((name, size)) = text.split_once(b'=') else {
        return Err(text.fault("plane needs a size, as in plane=4"));
    };
    if !name.is_any_case("plane") {
        return Err(name.is_fault("not `plane` (sbatch compares the first five letters alone)"));
    }
    let body = size.trim_start();
    let body = if body.byte(0) == b'+' { body.skip(1) } else { body };
    if !body.is_digits() {
        return Err(if size.is_empty() {
            text.fault("the size after `plane=` is missing")
        } else {
            size.is_fault("not the size of a plane: a whole number alone must follow `plane=`")
        });
    }
    match attempt!(digits(body)) {
        0 => Err(size.fault("a plane of zero tasks leads nowhere")),
        value if value > i32::MAX as u64 => {
            Err(size.is_fault("too large a plane (2147483647 is the most)"))
        }
        value => Ok(value as u32),
    }
}

fn spread(word: Text<'_>) -> Option<Spread> {
    const SPREADS: [Spread; 4] =
        [Spread::Default, Spread::Block, Spread::Cyclic, Spread::FullyCyclic];
    word.position_in(WORDS).and_then(|index| SPREADS.get(index).copied())
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
                for (index, spread) in levels.iter().enumerate() {
                    f.write_str(if index > 0 { ":" } else { "" })?;
                    f.write_str(match spread {
                        Spread::Default => "*",
                        Spread::Block => "block",
                        Spread::Cyclic => "cyclic",
                        Spread::FullyCyclic => "fcyclic",
                    })?;
                }
            }
        }
        match self.pack {
            Some(true) => write!(f, "{comma}pack"),
            Some(false) => write!(f, "{comma}nopack"),
            None => Ok(()),
        }
    }
}
