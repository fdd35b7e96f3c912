//! Names of nodes: `src/common/hostlist.c`.

use std::fmt;

use super::number::digits;
use super::typed;
use crate::options::fault::Fault;
use crate::options::release::Release;
use crate::options::text::{Text, attempt, is_space};

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
    /// They are those of a block, which only the cluster knows.
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

    /// Checks a list of names.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        if text.find(b'/').is_some() {
            return Ok(());
        }
        let mut rest = text;
        let mut found = false;
        loop {
            rest = skip_separators(rest);
            if rest.is_empty() {
                break;
            }
            let (name, tail) = attempt!(next_name(rest));
            attempt!(check_name(name));
            found = true;
            rest = tail;
        }
        if found { Ok(()) } else { Err(text.fault("no node is named")) }
    }

    /// Reads a list of names.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Self::check(text)?;
        if text.find(b'/').is_some() {
            return Ok(Self::File(text.to_text()));
        }
        let mut patterns = Vec::new();
        let mut rest = skip_separators(text);
        while !rest.is_empty() {
            let (name, tail) = next_name(rest)?;
            patterns.push(HostPattern::read(name)?);
            rest = skip_separators(tail);
        }
        Ok(Self::Names(patterns))
    }
}

const fn is_separator(byte: u8) -> bool {
    byte == b',' || is_space(byte)
}

const fn skip_separators(text: Text<'_>) -> Text<'_> {
    let mut index = 0;
    while index < text.len() && is_separator(text.byte(index)) {
        index += 1;
    }
    text.skip(index)
}

/// The text up to the next separator outside brackets, and the rest.
const fn next_name(text: Text<'_>) -> Result<(Text<'_>, Text<'_>), Fault> {
    let mut open = None;
    let mut index = 0;
    while index < text.len() {
        let byte = text.byte(index);
        match (byte, open) {
            (b'[', None) => open = Some(index),
            (b'[', Some(_)) => {
                return Err(text
                    .skip(index)
                    .take(1)
                    .fault("a bracket cannot stand in another one"));
            }
            (b']', None) => {
                return Err(text.skip(index).take(1).fault("this `]` closes nothing"));
            }
            (b']', Some(_)) => open = None,
            (byte, None) if is_separator(byte) => break,
            _ => {}
        }
        index += 1;
    }
    match open {
        Some(start) => Err(text.skip(start).take(1).fault("this `[` is not closed")),
        None => Ok(text.split_at(index)),
    }
}

/// Whether a byte may stand in the name of a node or block.
const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'_' | b'.' | b':' | b'{' | b'}')
        || byte >= 0x80
}

const fn check_name(name: Text<'_>) -> Result<(), Fault> {
    let mut rest = name;
    while !rest.is_empty() {
        if rest.byte(0) == b'[' {
            let Some((ranges, tail)) = rest.skip(1).split_once(b']') else {
                return Err(rest.take(1).fault("this `[` is not closed"));
            };
            attempt!(check_ranges(ranges));
            rest = tail;
        } else if is_name_byte(rest.byte(0)) {
            rest = rest.skip(1);
        } else if rest.byte(0) == b';' {
            return Err(rest.take(1).fault("names are joined by `,`, not by `;`"));
        } else {
            return Err(rest.take(1).is_fault("not part of the name of a node"));
        }
    }
    Ok(())
}

const fn check_ranges(text: Text<'_>) -> Result<(), Fault> {
    let mut rest = Some(text);
    while let Some(list) = rest {
        let (part, tail) = list.next_part(b',');
        rest = tail;
        attempt!(range(part));
    }
    Ok(())
}

const fn range(part: Text<'_>) -> Result<HostRange, Fault> {
    if part.is_empty() {
        return Err(part.fault("a number is missing in the brackets"));
    }
    let (low, high) = match part.split_once(b'-') {
        Some((low, high)) => (low, high),
        None => (part, part),
    };
    if low.is_empty() || high.is_empty() {
        return Err(part.is_fault("half a range: a number is missing beside `-`"));
    }
    if !low.is_digits() || !high.is_digits() {
        return Err(part.is_fault("not a number or a range of numbers"));
    }
    if low.len() > MAX_DIGITS || high.len() > MAX_DIGITS {
        return Err(part.is_fault("too large a number for the name of a node"));
    }
    let first = attempt!(digits(low));
    let last = attempt!(digits(high));
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
        while let Some(index) = rest.find(b'[') {
            let (before, bracket) = rest.split_at(index);
            if !before.is_empty() {
                parts.push(HostPart::Text(before.to_text()));
            }
            let Some((list, tail)) = bracket.skip(1).split_once(b']') else {
                break;
            };
            let ranges = list.parts(b',').map(range).collect::<Result<_, _>>()?;
            parts.push(HostPart::Ranges(ranges));
            rest = tail;
        }
        if !rest.is_empty() {
            parts.push(HostPart::Text(rest.to_text()));
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

typed!(HostList, HostList);

impl fmt::Display for HostList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.write_str(path),
            Self::Names(patterns) => {
                for (index, pattern) in patterns.iter().enumerate() {
                    f.write_str(if index > 0 { "," } else { "" })?;
                    write!(f, "{pattern}")?;
                }
                Ok(())
            }
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
                    for (index, range) in ranges.iter().enumerate() {
                        f.write_str(if index > 0 { "," } else { "" })?;
                        let width = range.width;
                        write!(f, "{:0width$}", range.first)?;
                        if range.last != range.first {
                            write!(f, "-{:0width$}", range.last)?;
                        }
                    }
                    f.write_str("]")?;
                }
            }
        }
        Ok(())
    }
}
