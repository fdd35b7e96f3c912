//! How a dependency is read.

use super::{ArrayIndex, Dependency, DependencyItem, DependencyKind, JobReference};
use crate::options::fault::Fault;
use crate::options::text::Text;
use crate::options::types::array::{ArrayRange, MAX_INDEX};
use crate::options::types::number::digits;

const UNKNOWN: &str = "not a kind of dependency; expected after, afterany, afterok, afternotok, \
                       aftercorr, afterburstbuffer, expand or singleton";
const MAX_ID: u64 = 0xffff_fffd;
/// Slurm counts the minutes as seconds in a C `int`.
const MAX_MINUTES: u64 = (i32::MAX / 60) as u64;

impl Dependency {
    /// Reads a dependency.
    pub(crate) fn read(text: Text<'_>) -> Result<Self, Fault> {
        let separator = separator(text)?;
        let mut items = Vec::new();
        let mut bare = false;
        for item in parts(text, separator) {
            match head(item)? {
                Head::Bare if separator == b'?' => {
                    return Err(item.is_fault("a bare job id, which cannot stand beside `?`"));
                }
                Head::Bare => {
                    let (kind, jobs) = (DependencyKind::AfterAny, vec![job(item, None)?]);
                    items.push(DependencyItem::Jobs { kind, jobs });
                    bare = true;
                    continue;
                }
                Head::Singleton => items.push(DependencyItem::Singleton),
                Head::Jobs(kind, jobs) => {
                    let jobs = parts(jobs, b':').map(|one| job(one, Some(kind)));
                    let jobs = jobs.collect::<Result<_, _>>()?;
                    items.push(DependencyItem::Jobs { kind, jobs });
                }
            }
            if bare {
                return Err(item.fault("bare job ids come after every other dependency"));
            }
        }
        Ok(Self { any: separator == b'?', items })
    }
}

/// The separator in use; `,` when there is one item.
fn separator(text: Text<'_>) -> Result<u8, Fault> {
    let any = text.find_outside_brackets(b'?');
    let all = text.find_outside_brackets(b',');
    match (any, all) {
        (Some(any), Some(all)) => Err(text.at(any.max(all)).fault(
            "`,` (all of) and `?` (any of) cannot be mixed (older controllers read it \
                 all as any of)",
        )),
        (Some(_), None) => Ok(b'?'),
        (None, _) => Ok(b','),
    }
}

/// The parts between separators that do not stand in brackets.
fn parts(list: Text<'_>, separator: u8) -> impl Iterator<Item = Text<'_>> {
    list.parts_by(move |list| list.find_outside_brackets(separator))
}

#[derive(Clone, Copy)]
enum Head<'a> {
    Singleton,
    Bare,
    Jobs(DependencyKind, Text<'a>),
}

fn head(item: Text<'_>) -> Result<Head<'_>, Fault> {
    if item.is_empty() {
        return Err(item.fault("a dependency is missing beside the separator"));
    }
    if item.has(b'(') {
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
        if kind_of(item).is_some() {
            return Err(item.fault("a `:` and the id of a job must follow"));
        }
        return Err(item.is_fault(UNKNOWN));
    };
    if name.is_any_case("singleton") {
        return Err(item.fault("singleton names no job"));
    }
    if let Some(kind) = kind_of(name) {
        return Ok(Head::Jobs(kind, jobs));
    }
    if name.is_empty() {
        return Err(item.fault("the kind of dependency before `:` is missing"));
    }
    if name.is_digits() {
        return Err(item.fault("several jobs need a kind of dependency before them"));
    }
    Err(name.is_fault(UNKNOWN))
}

fn kind_of(word: Text<'_>) -> Option<DependencyKind> {
    DependencyKind::ALL.iter().copied().find(|kind| word.is_any_case(kind.as_str()))
}

/// One job; `kind` is `None` for a bare id, which takes no minutes.
fn job(text: Text<'_>, kind: Option<DependencyKind>) -> Result<JobReference, Fault> {
    let body = text.trim_start();
    let (number, rest) = body.split_at(body.leading_digits());
    if number.is_empty() {
        return Err(if body.is_empty() {
            text.fault("the id of a job is missing")
        } else {
            text.is_fault("not the id of a job")
        });
    }
    let id = digits(number)?;
    if id == 0 {
        return Err(number.fault("no job has the id 0"));
    }
    if id > MAX_ID {
        return Err(number.is_fault("too large for the id of a job"));
    }
    let (index, rest) = array_index(text, rest)?;
    if rest.is_empty() {
        return Ok(JobReference { id: id as u32, index, minutes: None });
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
        let minutes = digits(value)?;
        if 0 < minutes && minutes <= MAX_MINUTES {
            return Ok(JobReference { id: id as u32, index, minutes: Some(minutes as u32) });
        }
    }
    Err(value.is_fault("not a number of minutes from 1 to 35791394"))
}

fn array_index<'a>(whole: Text<'a>, text: Text<'a>) -> Result<(ArrayIndex, Text<'a>), Fault> {
    if text.byte(0) != b'_' {
        return Ok((ArrayIndex::Whole, text));
    }
    let text = text.skip(1);
    if text.byte(0) == b'*' {
        return Ok((ArrayIndex::All, text.skip(1)));
    }
    if text.byte(0) == b'[' {
        let Some((list, rest)) = text.skip(1).split_once(b']') else {
            return Err(text.is_fault("not closed by `]`"));
        };
        let ranges = list.parts(b',').map(index_range).collect::<Result<_, _>>()?;
        return Ok((ArrayIndex::List(ranges), rest));
    }
    let (number, rest) = text.split_at(text.leading_digits());
    if number.is_empty() {
        return Err(whole.fault("the array index after `_` is missing"));
    }
    let value = digits(number)?;
    if value > MAX_INDEX {
        return Err(number.is_fault("too large for an array index"));
    }
    Ok((ArrayIndex::One(value as u32), rest))
}

/// One range in brackets: `bit_unfmt` of `src/common/bitstring.c`.
fn index_range(token: Text<'_>) -> Result<ArrayRange, Fault> {
    let (first, last) = match token.split_once(b'-') {
        Some((first, last)) => (digits(first)?, digits(last)?),
        None => {
            let index = digits(token)?;
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
