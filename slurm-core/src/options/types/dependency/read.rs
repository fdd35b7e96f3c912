//! How a dependency is read.

use super::{ArrayIndex, Dependency, DependencyItem, DependencyKind, JobReference};
use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};
use crate::options::types::array::{ArrayRange, MAX_INDEX};
use crate::options::types::number::digits;

const UNKNOWN: &str = "not a kind of dependency; expected after, afterany, afterok, afternotok, \
                       aftercorr, afterburstbuffer, expand or singleton";
const MAX_ID: u64 = 0xffff_fffd;
/// Slurm counts the minutes as seconds in a C `int`.
const MAX_MINUTES: u64 = (i32::MAX / 60) as u64;

impl Dependency {
    /// Checks a dependency.
    pub(crate) const fn check(text: Text<'_>) -> Result<(), Fault> {
        let separator = attempt!(separator(text));
        let mut rest = Some(text);
        let mut bare = false;
        while let Some(list) = rest {
            let (item, tail) = next_item(list, separator);
            rest = tail;
            match attempt!(head(item)) {
                Head::Singleton => {}
                Head::Bare => {
                    if separator == b'?' {
                        return Err(item.is_fault("a bare job id, which cannot stand beside `?`"));
                    }
                    attempt!(job(item, None));
                    bare = true;
                    continue;
                }
                Head::Jobs(kind, jobs) => {
                    let mut jobs = Some(jobs);
                    while let Some(list) = jobs {
                        let (one, tail) = next_item(list, b':');
                        jobs = tail;
                        attempt!(job(one, Some(kind)));
                    }
                }
            }
            if bare {
                return Err(item.fault("bare job ids come after every other dependency"));
            }
        }
        Ok(())
    }

    /// Reads a dependency.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        Self::check(text)?;
        let separator = separator(text)?;
        let mut items = Vec::new();
        let mut rest = Some(text);
        while let Some(list) = rest {
            let (item, tail) = next_item(list, separator);
            rest = tail;
            items.push(match head(item)? {
                Head::Singleton => DependencyItem::Singleton,
                Head::Bare => DependencyItem::Jobs {
                    kind: DependencyKind::AfterAny,
                    jobs: vec![job(item, None)?.build()?],
                },
                Head::Jobs(kind, list) => DependencyItem::Jobs { kind, jobs: jobs(kind, list)? },
            });
        }
        Ok(Self { any: separator == b'?', items })
    }
}

fn jobs(kind: DependencyKind, list: Text<'_>) -> Result<Vec<JobReference>, Fault> {
    let mut jobs = Vec::new();
    let mut rest = Some(list);
    while let Some(list) = rest {
        let (one, tail) = next_item(list, b':');
        rest = tail;
        jobs.push(job(one, Some(kind))?.build()?);
    }
    Ok(jobs)
}

/// The separator in use; `,` when there is one item.
const fn separator(text: Text<'_>) -> Result<u8, Fault> {
    let any = text.find_outside_brackets(b'?');
    let all = text.find_outside_brackets(b',');
    match (any, all) {
        (Some(any), Some(all)) => {
            let second = if any > all { any } else { all };
            Err(text.skip(second).take(1).fault(
                "`,` (all of) and `?` (any of) cannot be mixed (older controllers read it \
                 all as any of)",
            ))
        }
        (Some(_), None) => Ok(b'?'),
        (None, _) => Ok(b','),
    }
}

/// The item up to the next separator that does not stand in brackets.
const fn next_item(list: Text<'_>, separator: u8) -> (Text<'_>, Option<Text<'_>>) {
    match list.find_outside_brackets(separator) {
        Some(index) => (list.take(index), Some(list.skip(index + 1))),
        None => (list, None),
    }
}

#[derive(Clone, Copy)]
enum Head<'a> {
    Singleton,
    Bare,
    Jobs(DependencyKind, Text<'a>),
}

const fn head(item: Text<'_>) -> Result<Head<'_>, Fault> {
    if item.is_empty() {
        return Err(item.fault("a dependency is missing beside the separator"));
    }
    if item.find(b'(').is_some() {
        return Err(item.fault(
            "the state in parentheses is what Slurm prints, not a part of a dependency to ask for",
        ));
    }
    if item.is_any_case("singleton") {
        return Ok(Head::Singleton);
    }
    let Some((name, jobs)) = item.split_once(b':') else {
        if item.byte(0).is_ascii_digit() {
            return Ok(Head::Bare);
        }
        let mut index = 0;
        while index < DependencyKind::ALL.len() {
            if item.is_any_case(DependencyKind::ALL[index].as_str()) {
                return Err(item.fault("a `:` and the id of a job must follow"));
            }
            index += 1;
        }
        return Err(item.is_fault(UNKNOWN));
    };
    if name.is_any_case("singleton") {
        return Err(item.fault("singleton names no job"));
    }
    let mut index = 0;
    while index < DependencyKind::ALL.len() {
        let kind = DependencyKind::ALL[index];
        if name.is_any_case(kind.as_str()) {
            return Ok(Head::Jobs(kind, jobs));
        }
        index += 1;
    }
    if name.is_empty() {
        return Err(item.fault("the kind of dependency before `:` is missing"));
    }
    if name.is_digits() {
        return Err(item.fault("several jobs need a kind of dependency before them"));
    }
    Err(name.is_fault(UNKNOWN))
}

/// The parts of one job, still as text where they have no fixed size.
struct JobParts<'a> {
    id: u32,
    index: IndexText<'a>,
    minutes: Option<u32>,
}

enum IndexText<'a> {
    Whole,
    All,
    One(u32),
    List(Text<'a>),
}

/// One job; `kind` is `None` for a bare id, which takes no minutes.
const fn job(text: Text<'_>, kind: Option<DependencyKind>) -> Result<JobParts<'_>, Fault> {
    let body = text.trim_start();
    let (number, rest) = body.split_at(body.leading_digits());
    if number.is_empty() {
        return Err(if body.is_empty() {
            text.fault("the id of a job is missing")
        } else {
            text.is_fault("not the id of a job")
        });
    }
    let id = attempt!(digits(number));
    if id == 0 {
        return Err(number.fault("no job has the id 0"));
    }
    if id > MAX_ID {
        return Err(number.is_fault("too large for the id of a job"));
    }
    let (index, rest) = attempt!(array_index(text, rest));
    if rest.is_empty() {
        return Ok(JobParts { id: id as u32, index, minutes: None });
    }
    if rest.byte(0) != b'+' {
        return Err(rest.is_fault("unexpected after the id of a job"));
    }
    if !matches!(kind, Some(DependencyKind::After)) {
        return Err(rest.is_fault("a delay, which only `after` takes"));
    }
    let value = rest.skip(1);
    if value.is_empty() {
        return Err(rest.fault("the minutes after `+` are missing"));
    }
    if value.is_digits() {
        let minutes = attempt!(digits(value));
        if 0 < minutes && minutes <= MAX_MINUTES {
            return Ok(JobParts { id: id as u32, index, minutes: Some(minutes as u32) });
        }
    }
    Err(value.is_fault("not a number of minutes from 1 to 35791394"))
}

const fn array_index<'a>(
    whole: Text<'a>,
    text: Text<'a>,
) -> Result<(IndexText<'a>, Text<'a>), Fault> {
    if text.byte(0) != b'_' {
        return Ok((IndexText::Whole, text));
    }
    let text = text.skip(1);
    if text.byte(0) == b'*' {
        return Ok((IndexText::All, text.skip(1)));
    }
    if text.byte(0) == b'[' {
        let Some((list, rest)) = text.skip(1).split_once(b']') else {
            return Err(text.is_fault("not closed by `]`"));
        };
        let mut ranges = Some(list);
        while let Some(list) = ranges {
            let (token, tail) = list.next_part(b',');
            ranges = tail;
            attempt!(index_range(token));
        }
        return Ok((IndexText::List(list), rest));
    }
    let (number, rest) = text.split_at(text.leading_digits());
    if number.is_empty() {
        return Err(whole.fault("the array index after `_` is missing"));
    }
    let value = attempt!(digits(number));
    if value > MAX_INDEX {
        return Err(number.is_fault("too large for an array index"));
    }
    Ok((IndexText::One(value as u32), rest))
}

/// One range in brackets: `bit_unfmt` of `src/common/bitstring.c`.
const fn index_range(token: Text<'_>) -> Result<ArrayRange, Fault> {
    let (first, last) = match token.split_once(b'-') {
        Some((first, last)) => (attempt!(digits(first)), attempt!(digits(last))),
        None => {
            let index = attempt!(digits(token));
            (index, index)
        }
    };
    if last < first {
        return Err(token.fault("the range is upside down: the smaller index comes first"));
    }
    if last > MAX_INDEX {
        return Err(token.is_fault("too large for an array index"));
    }
    Ok(ArrayRange { first: first as u32, last: last as u32, step: 1 })
}

impl JobParts<'_> {
    fn build(self) -> Result<JobReference, Fault> {
        let index = match self.index {
            IndexText::Whole => ArrayIndex::Whole,
            IndexText::All => ArrayIndex::All,
            IndexText::One(index) => ArrayIndex::One(index),
            IndexText::List(list) => {
                let ranges = list.parts(b',').map(index_range).collect::<Result<_, _>>()?;
                ArrayIndex::List(ranges)
            }
        };
        Ok(JobReference { id: self.id, index, minutes: self.minutes })
    }
}
