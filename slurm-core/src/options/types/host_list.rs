//! Names of nodes: `src/common/hostlist.c`.

use std::fmt;

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, LINE, typed, write_list};
use crate::options::release::Release;
use crate::options::suggest::{swapped, without_part};
use crate::options::text::{Text, is_space};

/// Names of nodes, or the path of a file with names.
///
/// Names are joined by commas (or blanks, which are written as commas). A name holds
/// any number of brackets with numbers and ranges: `n[1-3,7]`, `rack[0-1]n[01-16]`; zeros in front
/// are kept. Text after a bracket needs 23.11. A value with a `/` names a file, which sbatch reads.
/// `{block}` stands for the nodes of a block of the topology, from 24.11.
///
/// ```
/// use slurm_core::options::HostList;
/// let nodes: HostList = "n[08-10],login".parse()?;
/// assert_eq!(nodes.hosts()?, ["n08", "n09", "n10", "login"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Slurm's source: `_hostlist_create`, `_parse_single_range` in `src/common/hostlist.c`;
/// `_valid_node_list` in `src/common/slurm_opt.c`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostList {
    /// The path of a file that names the nodes.
    File(String),
    /// Patterns of names.
    Names(Vec<HostPattern>),
}

/// One name of a [`HostList`], with all its brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPattern {
    parts: Vec<HostPart>,
}

/// A piece of a [`HostPattern`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum HostPart {
    Text(String),
    Ranges(Vec<HostRange>),
}

/// A range of numbers, each written with at least `width` digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct HostRange {
    first: u64,
    last: u64,
    width: usize,
}

/// The names cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostListError {
    /// There are more than [`HostList::MAX_HOSTS`].
    TooMany,
    /// They stand in a file.
    InFile(String),
    /// They belong to a block of the topology, which only the cluster knows.
    OfBlock(String),
}

impl fmt::Display for HostListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "more than {} hosts", HostList::MAX_HOSTS),
            Self::InFile(path) => write!(f, "the hosts stand in the file `{path}`"),
            Self::OfBlock(block) => write!(f, "only the cluster knows the nodes of `{block}`"),
        }
    }
}

impl std::error::Error for HostListError {}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "names of nodes such as `n[1-3,7],login`, or the path of a file",
    example: "n[1-3]",
    details: "A name may hold several brackets with numbers and ranges, whose leading zeros \
              are kept; text after the last bracket needs 23.11, and `{block}` 24.11. A value \
              with a `/` names a file.",
    canonical: |text| Ok(HostList::read(text)?.to_string()),
    longest: LINE,
    separator: Some(","),
    since: |value| value.parse::<HostList>().ok()?.since(),
    nearby,
    ..Grammar::ANY
};

/// The most names in one range, as in Slurm.
const MAX_RANGE: u64 = 64 * 1024;
/// Longer numbers could wrap in Slurm's `unsigned long`.
const MAX_DIGITS: usize = 18;

impl HostList {
    /// The most names that [`hosts`](Self::hosts) returns.
    pub const MAX_HOSTS: usize = 65_536;

    /// Returns every name, in the order written.
    ///
    /// # Errors
    ///
    /// Fails for more than [`MAX_HOSTS`](Self::MAX_HOSTS) names, for a file, and for a block.
    pub fn hosts(&self) -> Result<Vec<String>, HostListError> {
        let patterns = match self {
            Self::File(path) => return Err(HostListError::InFile(path.clone())),
            Self::Names(patterns) => patterns,
        };
        let count = self.count().ok_or(HostListError::TooMany)?;
        let mut hosts = Vec::with_capacity(count);
        for pattern in patterns {
            if pattern.is_block() {
                return Err(HostListError::OfBlock(pattern.to_string()));
            }
            pattern.expand(&mut hosts);
        }
        Ok(hosts)
    }

    /// Returns how many names there are, up to [`MAX_HOSTS`](Self::MAX_HOSTS); `None` for more, and
    /// for a file.
    #[must_use]
    pub fn count(&self) -> Option<usize> {
        let Self::Names(patterns) = self else {
            return None;
        };
        let mut sum = 0_usize;
        for pattern in patterns {
            sum = sum.checked_add(pattern.count()?)?;
        }
        (sum <= Self::MAX_HOSTS).then_some(sum)
    }

    /// The first release that reads the list like this, if not all do.
    pub(crate) fn since(&self) -> Option<Release> {
        let Self::Names(patterns) = self else {
            return None;
        };
        if patterns.iter().any(HostPattern::is_block) {
            return Some(Release::new(24, 11));
        }
        let suffixed = patterns.iter().any(HostPattern::has_suffix);
        suffixed.then_some(Release::new(23, 11))
    }

    /// Reads a list of names.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        if text.has(b'/') {
            return Ok(Self::File(text.to_text()));
        }
        let mut patterns = Vec::new();
        let mut rest = skip_separators(text);
        while !rest.is_empty() {
            let (name, tail) = next_name(rest)?;
            patterns.push(HostPattern::read(name)?);
            rest = skip_separators(tail);
        }
        if patterns.is_empty() {
            return Err(text.fault("no node is named"));
        }
        Ok(Self::Names(patterns))
    }
}

fn is_separator(byte: u8) -> bool {
    byte == b',' || is_space(byte)
}

fn skip_separators(text: Text<'_>) -> Text<'_> {
    text.skip(text.position(|byte| !is_separator(byte)).unwrap_or(text.len()))
}

/// The text up to the next separator outside brackets, and the rest.
fn next_name(text: Text<'_>) -> Result<(Text<'_>, Text<'_>), Fault> {
    let mut open = None;
    for (index, byte) in text.bytes().iter().enumerate() {
        match (byte, open) {
            (b'[', None) => open = Some(index),
            (b'[', Some(_)) => {
                return Err(text.at(index).fault("a bracket cannot stand in another one"));
            }
            (b']', None) => return Err(text.at(index).fault("this `]` closes nothing")),
            (b']', Some(_)) => open = None,
            (byte, None) if is_separator(*byte) => return Ok(text.split_at(index)),
            _ => {}
        }
    }
    match open {
        Some(start) => Err(text.at(start).fault("this `[` is not closed")),
        None => Ok(text.split_at(text.len())),
    }
}

/// Whether a byte may stand in the name of a node or block.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.:{}".contains(&byte) || byte >= 0x80
}

fn range(part: Text<'_>) -> Result<HostRange, Fault> {
    if part.is_empty() {
        return Err(part.fault("a number is missing in the brackets"));
    }
    let (low, high) = part.split_once(b'-').unwrap_or((part, part));
    if low.is_empty() || high.is_empty() {
        return Err(part.is_fault("half a range: a number is missing beside `-`"));
    }
    if !low.is_digits() || !high.is_digits() {
        return Err(part.is_fault("not a number or a range of numbers"));
    }
    if low.len() > MAX_DIGITS || high.len() > MAX_DIGITS {
        return Err(part.is_fault("too large a number for the name of a node"));
    }
    let first = digits(low)?;
    let last = digits(high)?;
    if last < first {
        return Err(part.fault("the range is upside down: the smaller number comes first"));
    }
    if last - first >= MAX_RANGE {
        return Err(part.is_fault("too long a range: Slurm takes at most 65536 nodes"));
    }
    Ok(HostRange { first, last, width: low.len() })
}

impl HostPattern {
    fn read(name: Text<'_>) -> Result<Self, Fault> {
        let mut parts = Vec::new();
        let mut rest = name;
        while !rest.is_empty() {
            if let Some((ranges, tail)) =
                rest.skip(1).split_once(b']').filter(|_| rest.byte(0) == b'[')
            {
                let ranges = ranges.parts(b',').map(range).collect::<Result<_, _>>()?;
                parts.push(HostPart::Ranges(ranges));
                rest = tail;
                continue;
            }
            let (text, tail) = rest.split_at(rest.find(b'[').unwrap_or(rest.len()));
            if let Some(index) = text.position(|byte| !is_name_byte(byte)) {
                let wrong = text.at(index);
                return Err(match wrong.byte(0) {
                    b';' => wrong.fault("names are joined by `,`, not by `;`"),
                    _ => wrong.is_fault("not part of the name of a node"),
                });
            }
            parts.push(HostPart::Text(text.to_text()));
            rest = tail;
        }
        Ok(Self { parts })
    }

    fn is_block(&self) -> bool {
        matches!(self.parts.first(), Some(HostPart::Text(text)) if text.starts_with('{'))
    }

    /// Whether text follows the last bracket.
    fn has_suffix(&self) -> bool {
        self.parts.len() > 1 && matches!(self.parts.last(), Some(HostPart::Text(_)))
    }

    fn count(&self) -> Option<usize> {
        let mut product = 1_usize;
        for part in &self.parts {
            if let HostPart::Ranges(ranges) = part {
                let mut sum = 0_u64;
                for range in ranges {
                    sum = sum.checked_add(range.last - range.first + 1)?;
                }
                product = product.checked_mul(usize::try_from(sum).ok()?)?;
            }
        }
        Some(product)
    }

    fn expand(&self, hosts: &mut Vec<String>) {
        let mut names = vec![String::new()];
        for part in &self.parts {
            match part {
                HostPart::Text(text) => names.iter_mut().for_each(|name| name.push_str(text)),
                HostPart::Ranges(ranges) => {
                    let numbers = || ranges.iter().flat_map(|range| range.numbers());
                    names = names
                        .iter()
                        .flat_map(|name| numbers().map(move |number| format!("{name}{number}")))
                        .collect();
                }
            }
        }
        hosts.append(&mut names);
    }
}

impl HostRange {
    fn numbers(self) -> impl Iterator<Item = String> {
        (self.first..=self.last).map(move |number| format!("{number:0width$}", width = self.width))
    }
}

fn nearby(value: &str, fault: &Fault) -> Vec<String> {
    let mut proposals = vec![value.replace(';', ","), format!("{value}]")];
    let range = fault.range();
    if let (Some(turned), Some(before), Some(after)) = (
        value.get(range.clone()).and_then(swapped),
        value.get(..range.start),
        value.get(range.end..),
    ) {
        proposals.push(format!("{before}{turned}{after}"));
    }
    proposals.push(without_part(value, fault));
    proposals
}

typed!(HostList, GRAMMAR);

impl fmt::Display for HostList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Names(patterns) => write_list(f, ",", patterns),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                HostPart::Text(text) => f.write_str(text)?,
                HostPart::Ranges(ranges) => {
                    f.write_str("[")?;
                    write_list(f, ",", ranges)?;
                    f.write_str("]")?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for HostRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.width;
        write!(f, "{:0width$}", self.first)?;
        if self.last != self.first {
            write!(f, "-{:0width$}", self.last)?;
        }
        Ok(())
    }
}
