//! Job arrays: `_valid_array_inx` of `src/slurmctld/job_mgr.c`.

use std::fmt;

use super::number::digits;
use crate::options::fault::Fault;
use crate::options::grammar::{Grammar, PATH, typed, write_list};
use crate::options::suggest::swapped;
use crate::options::text::{Text, is_space};

/// The indices of a job array, and how many of its tasks may run at once.
///
/// `0-15`, `1,3,5-7`, `0-15:4` (step), `0-15%4` (at most four at once, for the whole array).
/// Only the controller checks this value; it reads missing numbers as 0 and an unreadable limit as
/// no limit, which is refused here. How large an index may be is set by the cluster's
/// `MaxArraySize` (1001 unless it is configured); 4,000,000 is the most that can be configured.
///
/// Slurm's source: `_valid_array_inx`, `_parse_array_tok` in `src/slurmctld/job_mgr.c`;
/// `slurm_parse_array_tok` from 23.11 on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArraySpec {
    ranges: Vec<ArrayRange>,
    max_running: Option<u32>,
}

/// One index or range of an [`ArraySpec`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArrayRange {
    /// The first index.
    pub first: u32,
    /// The last index that the range may reach.
    pub last: u32,
    /// The distance between indices.
    pub step: u32,
}

pub(crate) const GRAMMAR: Grammar = Grammar {
    expected: "indices and ranges joined by commas, with `:step` and a last `%limit`",
    example: "0-15%4",
    details: "`first-last`, `first-last:step` or single indices, from 0 to one less than the \
              cluster's `MaxArraySize` (1001 unless configured, at most 4000001). `%limit` \
              bounds how many tasks of the whole array run at once. Brackets around numbers are \
              dropped.",
    canonical: |text| Ok(ArraySpec::read(text)?.to_string()),
    longest: PATH,
    separator: Some(","),
    nearby: |value, _| nearby(value),
    ..Grammar::ANY
};

/// The largest `MaxArraySize` that Slurm can be configured with is one more than this.
pub(crate) const MAX_INDEX: u64 = 4_000_000;

impl ArraySpec {
    /// Returns the ranges in the order written.
    #[must_use]
    pub fn ranges(&self) -> &[ArrayRange] {
        &self.ranges
    }

    /// Returns how many tasks may run at once.
    #[must_use]
    pub const fn max_running(&self) -> Option<u32> {
        self.max_running
    }

    /// Returns the largest index.
    #[must_use]
    pub fn max_index(&self) -> u32 {
        let last = |range: &ArrayRange| range.last - (range.last - range.first) % range.step;
        self.ranges.iter().map(last).max().unwrap_or(0)
    }

    /// Returns every index once, in ascending order: at most 4,000,001.
    #[must_use]
    pub fn indices(&self) -> Vec<u32> {
        // Ranges may overlap many times over, so they are marked instead of collected.
        let mut marked = vec![false; self.max_index() as usize + 1];
        for range in &self.ranges {
            for index in (range.first..=range.last).step_by(range.step.max(1) as usize) {
                if let Some(mark) = marked.get_mut(index as usize) {
                    *mark = true;
                }
            }
        }
        (0..).zip(marked).filter_map(|(index, marked)| marked.then_some(index)).collect()
    }

    /// Reads an array specification.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let (list, max_running) = split_limit(text)?;
        let none = "no index is named (sbatch would not make an array of this)";
        Ok(Self { ranges: list.items(b',', none, range)?, max_running })
    }
}

/// The list of indices, and the limit after `%`.
fn split_limit(text: Text<'_>) -> Result<(Text<'_>, Option<u32>), Fault> {
    let Some((list, limit)) = text.split_once(b'%') else {
        return Ok((text, None));
    };
    if list.is_empty() {
        return Err(text.fault("the indices before `%` are missing (the controller would read 0)"));
    }
    if limit.has(b',') || limit.has(b'%') {
        return Err(
            limit.fault("the limit after `%` holds for the whole array: write it once, last")
        );
    }
    if !limit.is_digits() {
        return Err(if limit.is_empty() {
            text.fault("the limit after `%` is missing")
        } else {
            limit.is_fault("not a limit: expected the number of tasks that may run at once")
        });
    }
    match digits(limit)? {
        0 => Err(limit.fault("a limit of 0 would mean no limit; leave `%0` out")),
        value if value > MAX_INDEX => Err(limit.is_fault("larger than any array (4000001 tasks)")),
        value => Ok((list, Some(value as u32))),
    }
}

/// One token: `[first] - last : step`, where the controller strips brackets.
fn range(token: Text<'_>) -> Result<ArrayRange, Fault> {
    let (first, rest) = index(token, token.without(b'['))?;
    if rest.is_empty() {
        return Ok(ArrayRange { first, last: first, step: 1 });
    }
    if rest.byte(0) == b':' {
        return Err(token.fault("a step needs a range before it; a range is written with `-`"));
    }
    if rest.byte(0) != b'-' {
        return Err(rest.is_fault("unexpected after an index; expected `-` and the last index"));
    }
    let (last, rest) = index(token, rest.skip(1))?;
    if !matches!(rest.byte(0), 0 | b':') {
        return Err(rest.is_fault("unexpected after a range; expected `,`, `:step` or `%limit`"));
    }
    if last < first {
        return Err(token.fault("the range is upside down: the smaller index comes first"));
    }
    if rest.is_empty() {
        return Ok(ArrayRange { first, last, step: 1 });
    }
    let (step, rest) = index(token, rest.skip(1))?;
    if step == 0 {
        return Err(token.fault("a step of zero leads nowhere"));
    }
    if !rest.is_empty() {
        return Err(rest.is_fault("too much: nothing follows the step"));
    }
    let step = if first == last { 1 } else { step };
    Ok(ArrayRange { first, last, step })
}

/// A number as `strtol` reads it, with one `]` after it, and what follows.
fn index<'a>(token: Text<'a>, text: Text<'a>) -> Result<(u32, Text<'a>), Fault> {
    let body = text.unsigned();
    let (number, rest) = body.split_at(body.leading_digits());
    if number.is_empty() {
        return Err(match rest.byte(0) {
            0 | b'-' | b':' | b'[' | b']' => {
                token.fault("a number is missing (the controller would read 0)")
            }
            _ => token.is_fault("not an index; expected numbers and ranges such as 0-15"),
        });
    }
    let value = digits(number)?;
    if value > MAX_INDEX {
        return Err(number.is_fault("too large: no cluster has array indices above 4000000"));
    }
    let rest = rest.without(b']');
    if is_space(rest.byte(0)) {
        return Err(rest.fault("no blank may follow a number"));
    }
    Ok((value as u32, rest))
}

fn nearby(value: &str) -> Vec<String> {
    let limit = value.split('%').nth(1).map(|rest| rest.split(',').next().unwrap_or_default());
    let indices: Vec<&str> =
        value.split(',').map(|token| token.split('%').next().unwrap_or_default()).collect();
    let indices = indices.join(",");
    let limit = limit.map(|limit| format!("%{limit}")).unwrap_or_default();
    let mut proposals = vec![
        value.replace(';', ","),
        value.replace("..", "-"),
        format!("{indices}{limit}"),
        format!("{}{limit}", indices.replacen(':', "-", 1)),
        indices.clone(),
        value.trim_end_matches('-').to_owned(),
    ];
    proposals.extend(swapped(&indices).map(|indices| format!("{indices}{limit}")));
    proposals.extend(value.rsplit_once(':').map(|(range, _)| range.to_owned()));
    proposals
}

typed!(ArraySpec, GRAMMAR);

impl fmt::Display for ArraySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_list(f, ",", &self.ranges)?;
        match self.max_running {
            Some(limit) => write!(f, "%{limit}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ArrayRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        if self.last != self.first {
            write!(f, "-{}", self.last)?;
            if self.step != 1 {
                write!(f, ":{}", self.step)?;
            }
        }
        Ok(())
    }
}
