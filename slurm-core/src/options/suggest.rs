//! Valid values near a refused one.
//!
//! Every grammar proposes changes, and the first valid one is offered: a suggestion can be missing, but is never
//! wrong. This file has the parts that several grammars share.

use super::distance::distance;
use super::fault::Fault;
use super::grammar::Grammar;

/// Longer values are not worth a suggestion.
const LONGEST: usize = 200;
/// How many words of one value are repaired.
const REPAIRS: usize = 4;

/// Returns the first proposed change of `value` that `check` takes.
pub(crate) fn near(
    grammar: &Grammar,
    value: &str,
    check: impl Fn(&str) -> Result<(), Fault>,
) -> Option<String> {
    if value.is_empty() || value.len() > LONGEST {
        return None;
    }
    let fault = check(value).err()?;
    let proposals = if grammar.forgiving {
        let value = to_ascii(value);
        let compact = without_blanks(&value);
        let mut proposals = vec![
            value.trim().to_owned(),
            value.trim_start_matches('=').to_owned(),
            compact.clone(),
        ];
        proposals.extend((grammar.nearby)(&value, &fault));
        proposals.extend(repaired(grammar, &compact, &check));
        proposals
    } else {
        (grammar.nearby)(value, &fault)
    };
    proposals
        .into_iter()
        .find(|proposal| proposal != value && !proposal.is_empty() && check(proposal).is_ok())
}

/// The value with each wrong part replaced by the word that was probably meant.
fn repaired(
    grammar: &Grammar,
    value: &str,
    check: &impl Fn(&str) -> Result<(), Fault>,
) -> Option<String> {
    let mut text = value.to_owned();
    for _ in 0..REPAIRS {
        let Err(fault) = check(&text) else {
            return Some(text);
        };
        let part = text.get(fault.range())?;
        let word = (grammar.instead)(&part.to_ascii_lowercase())
            .or_else(|| nearest(grammar.words, part))?;
        text.replace_range(fault.range(), word);
    }
    check(&text).is_ok().then_some(text)
}

/// The word with the fewest changes, if they are few for its length.
fn nearest(words: &'static [&'static str], part: &str) -> Option<&'static str> {
    let lower = part.to_ascii_lowercase();
    words
        .iter()
        .map(|word| (distance(&lower, &word.to_ascii_lowercase()), *word))
        .filter(|(changes, word)| *changes <= word.len().div_ceil(4).min(3))
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, word)| word)
}

/// The meaning of a word for yes or no.
pub(crate) fn boolean(part: &str) -> Option<bool> {
    match part {
        "true" | "yes" | "on" | "1" | "y" => Some(true),
        "false" | "no" | "off" | "0" | "n" | "never" => Some(false),
        _ => None,
    }
}

/// The value without its wrong part.
pub(crate) fn without_part(value: &str, fault: &Fault) -> String {
    let range = fault.range();
    match (value.get(..range.start), value.get(range.end..)) {
        (Some(before), Some(after)) => format!("{before}{after}"),
        _ => String::new(),
    }
}

/// The range with its ends exchanged.
pub(crate) fn swapped(value: &str) -> Option<String> {
    let (low, high) = value.split_once('-')?;
    Some(format!("{high}-{low}"))
}

/// The number without commas or underscores between groups of three digits.
pub(crate) fn ungrouped(value: &str) -> String {
    let plain = value.replace('_', ",");
    let mut groups = plain.split(',');
    let head = groups.next().is_some_and(|head| (1..=3).contains(&head.len()));
    if head && groups.all(|group| group.bytes().take(3).filter(u8::is_ascii_digit).count() == 3) {
        plain.replace(',', "")
    } else {
        value.to_owned()
    }
}

pub(crate) fn without_blanks(value: &str) -> String {
    value.chars().filter(|letter| !letter.is_whitespace()).collect()
}

/// The value with dashes, quotes and full-width letters of word processors written plainly.
pub(crate) fn to_ascii(value: &str) -> String {
    value
        .chars()
        .map(|letter| match letter {
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            '\u{ff01}'..='\u{ff5e}' => {
                char::from_u32(u32::from(letter) - 0xff01 + 0x21).unwrap_or(letter)
            }
            _ => letter,
        })
        .collect()
}

/// The number that the value starts with, as whole part, thousandths, and what follows.
pub(crate) fn leading_number(value: &str) -> Option<(u64, u64, &str)> {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    let (whole, rest) = value.split_at(digits);
    let whole = whole.parse().ok()?;
    let Some(fraction) = rest.strip_prefix('.') else {
        return Some((whole, 0, rest));
    };
    let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
    let (fraction, rest) = fraction.split_at(digits);
    let padded = format!("{fraction:0<3}");
    Some((whole, padded.get(..3)?.parse().ok()?, rest))
}
