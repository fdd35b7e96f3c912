//! Values that are one of a few words, or a list of them.

use crate::options::fault::Fault;
use crate::options::text::{Text, attempt};

/// The position of the word that this is, in any mix of case.
pub(crate) const fn one_of(
    text: Text<'_>,
    words: &[&str],
    reason: &'static str,
) -> Result<usize, Fault> {
    match text.position_in(words) {
        Some(index) => Ok(index),
        None => Err(text.is_fault(reason)),
    }
}

/// Checks a list of words joined by commas; with `gaps`, empty places are skipped as `strtok` does.
pub(crate) const fn list_of(
    text: Text<'_>,
    words: &[&str],
    reason: &'static str,
    gaps: bool,
) -> Result<(), Fault> {
    let mut rest = Some(text);
    let mut found = false;
    while let Some(list) = rest {
        let (word, tail) = list.next_part(b',');
        rest = tail;
        if word.is_empty() {
            if !gaps {
                return Err(text.fault("a word is missing beside a comma"));
            }
            continue;
        }
        attempt!(one_of(word, words, reason));
        found = true;
    }
    if found { Ok(()) } else { Err(text.fault("nothing is named between the commas")) }
}

/// Whether a list of words holds `word`.
pub(crate) const fn list_has(text: Text<'_>, word: &str) -> bool {
    let mut rest = Some(text);
    while let Some(list) = rest {
        let (item, tail) = list.next_part(b',');
        rest = tail;
        if item.is_any_case(word) {
            return true;
        }
    }
    false
}

/// The words of a list as `words` spells them, each once, in the order given.
pub(crate) fn spelled(text: Text<'_>, words: &[&'static str]) -> String {
    let mut found: Vec<&str> = Vec::new();
    for word in text.parts(b',').filter_map(|word| words.get(word.position_in(words)?)) {
        if !found.contains(word) {
            found.push(word);
        }
    }
    found.join(",")
}
