//! Numbers of nodes: `verify_node_count` of `src/common/proc_args.c`.

use std::fmt;

use super::number::{self, MAX_COUNT, digits};
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, typed, write_list};
use crate::options::release::Release;
use crate::options::suggest::swapped;
use crate::options::text::{Text, is_space};

/// How many nodes a job wants: a number, a range, or (from 23.02) a list of numbers.
///
/// `4`, `2-8`, `-8` (one to eight); `k` and `m` multiply by 1024 and 1,048,576. Lists such as
/// `1,2,4` and steps such as `2-16:2` need Slurm 23.02.
///
/// Slurm's source: `verify_node_count`, `str_to_nodes` in `src/common/proc_args.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NodeCount {
    ranges: Vec<NodeRange>,
}

/// One number or range of a [`NodeCount`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct NodeRange {
    min: u32,
    max: u32,
    step: u32,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "a number of nodes or a range such as `2-8`",
    example: "1-4",
    details: "`-8` is one to eight. `k` and `m` multiply by 1024 and 1048576. Lists (`1,2,4`) \
              and steps (`2-8:2`) of numbers up to 16383 need 23.02.",
    canonical: |text| Ok(NodeCount::read(text)?.to_string()),
    integers: Some((1, MAX_COUNT as i128)),
    since: |value| {
        value.parse::<NodeCount>().is_ok_and(|nodes| nodes.is_list()).then_some(Release::new(23, 2))
    },
    nearby: |value, _| {
        let mut proposals = vec![
            value.trim_end_matches('-').to_owned(),
            value.trim_start_matches('-').to_owned(),
            value.replace(':', "-"),
            value.replace("..", "-"),
        ];
        proposals.extend(swapped(value));
        proposals.extend(number::nearby(value));
        proposals
    },
    ..Grammar::ANY
};

/// The numbers in a list of sizes must stay below this from 24.11 on.
const MAX_LISTED: u64 = 16_383;

/// sbatch takes it, and the controller refuses the job (seen with 22.05).
const NO_NODE: &str = "a job needs at least one node";

impl NodeCount {
    /// Returns the least number of nodes.
    #[must_use]
    pub fn min(&self) -> u32 {
        self.ranges.iter().map(|range| range.min).min().unwrap_or(0)
    }

    /// Returns the largest number of nodes.
    #[must_use]
    pub fn max(&self) -> u32 {
        self.ranges.iter().map(|range| range.max).max().unwrap_or(0)
    }

    /// Reads a number of nodes.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        if text.find_any(b",:").is_none() {
            return Ok(Self { ranges: vec![plain(text)?] });
        }
        // bit_unfmt takes a comma at the end.
        let list = if text.len() > 1 && text.bytes().ends_with(b",") {
            text.take(text.len() - 1)
        } else {
            text
        };
        Ok(Self { ranges: list.parts(b',').map(listed).collect::<Result<_, _>>()? })
    }

    /// Returns whether it is a list or has a step, which needs 23.02.
    fn is_list(&self) -> bool {
        self.ranges.len() > 1 || self.ranges.iter().any(|range| range.step != 1)
    }
}

fn plain(text: Text<'_>) -> Result<NodeRange, Fault> {
    let Some((low, high)) = text.split_once(b'-') else {
        let number = scaled(text)?;
        if number == 0 {
            return Err(text.fault(NO_NODE));
        }
        return Ok(NodeRange { min: number, max: number, step: 1 });
    };
    let min = if low.is_empty() { 1 } else { scaled(low)? };
    if high.is_empty() {
        return Err(text.fault("the largest number of nodes after `-` is missing"));
    }
    let max = scaled(high)?;
    if min == 0 && max == 0 {
        return Err(text.fault(NO_NODE));
    }
    if max < min && max != 0 {
        return Err(text.fault("the range is upside down: the smaller number comes first"));
    }
    Ok(NodeRange { min, max, step: 1 })
}

/// A number with `k` and `m`, blanks around it as sbatch takes them.
fn scaled(text: Text<'_>) -> Result<u32, Fault> {
    let body = text.unsigned().trim_end();
    let (number, suffix) = body.split_at(body.leading_digits());
    if number.is_empty() {
        return Err(if text.is_empty() {
            text.fault("a number of nodes is missing here")
        } else {
            text.is_fault("not a number of nodes")
        });
    }
    let mut value = digits(number)?;
    let mut rest = suffix;
    if rest.byte(0).eq_ignore_ascii_case(&b'k') {
        value = value.saturating_mul(1024);
        rest = rest.skip(1);
    }
    if rest.byte(0).eq_ignore_ascii_case(&b'm') {
        value = value.saturating_mul(1_048_576);
        rest = rest.skip(1);
    }
    if !rest.is_empty() {
        if rest.byte(0) == b'.' {
            return Err(text.fault("nodes come in whole numbers"));
        }
        if is_space(rest.byte(0)) {
            return Err(text.fault("a blank splits the number"));
        }
        return Err(rest.is_fault("not part of a number of nodes"));
    }
    if value > MAX_COUNT {
        return Err(text.is_fault("more nodes than sbatch can count (2147483646)"));
    }
    Ok(value as u32)
}

/// One entry of a list: `bit_unfmt` of `src/common/bitstring.c`.
fn listed(text: Text<'_>) -> Result<NodeRange, Fault> {
    if text.is_empty() {
        return Err(text.fault("a number of nodes is missing between the commas"));
    }
    let (range, step) = match text.split_once(b':') {
        Some((range, step)) => (range, listed_number(step)?),
        None => (text, 1),
    };
    let Some((low, high)) = range.split_once(b'-') else {
        if text.has(b':') {
            return Err(text.fault("a step needs a range before it"));
        }
        let number = listed_number(range)?;
        if number == 0 {
            return Err(range.fault(NO_NODE));
        }
        return Ok(NodeRange { min: number, max: number, step: 1 });
    };
    let min = listed_number(low)?;
    let max = listed_number(high)?;
    if max == 0 {
        return Err(range.fault(NO_NODE));
    }
    if max < min {
        return Err(range.fault("the range is upside down: the smaller number comes first"));
    }
    if step == 0 {
        return Err(text.fault("a step of zero leads nowhere"));
    }
    let step = if min == max { 1 } else { step };
    Ok(NodeRange { min, max, step })
}

fn listed_number(text: Text<'_>) -> Result<u32, Fault> {
    let value = digits(text)?;
    if value > MAX_LISTED {
        return Err(text.is_fault("too large for a list of node counts (the most is 16383)"));
    }
    Ok(value as u32)
}

typed!(NodeCount, GRAMMAR);

impl fmt::Display for NodeCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, ",", &self.ranges)
    }
}

impl fmt::Display for NodeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.min)?;
        if self.max != self.min {
            write!(f, "-{}", self.max)?;
        }
        if self.step != 1 {
            write!(f, ":{}", self.step)?;
        }
        Ok(())
    }
}
