//! A part of a value: the bytes, and where they stand in the whole.

use super::fault::Fault;

/// A part of an option's value that remembers where in the value it stands.
///
/// The grammars cut at ASCII bytes only.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    bytes: &'a [u8],
    start: usize,
}

impl<'a> Text<'a> {
    /// The whole of a value.
    pub(crate) fn new(value: &'a str) -> Self {
        Self { bytes: value.as_bytes(), start: 0 }
    }

    /// The bytes themselves.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The number of bytes.
    pub(crate) fn len(self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Where this part starts in the value.
    pub(crate) fn start(self) -> usize {
        self.start
    }

    /// Where this part ends in the value.
    pub(crate) fn end(self) -> usize {
        self.start + self.bytes.len()
    }

    /// The byte at `index`, or NUL (which no value holds) past the end.
    pub(crate) fn byte(self, index: usize) -> u8 {
        self.bytes.get(index).copied().unwrap_or(0)
    }

    /// The part before `index` and the part from it on.
    pub(crate) fn split_at(self, index: usize) -> (Self, Self) {
        let (head, tail) = self.bytes.split_at(index.min(self.len()));
        (
            Self { bytes: head, start: self.start },
            Self { bytes: tail, start: self.start + head.len() },
        )
    }

    /// The first `count` bytes.
    pub(crate) fn take(self, count: usize) -> Self {
        self.split_at(count).0
    }

    /// Everything after the first `count` bytes.
    pub(crate) fn skip(self, count: usize) -> Self {
        self.split_at(count).1
    }

    /// The byte at `index` as a part.
    pub(crate) fn at(self, index: usize) -> Self {
        self.skip(index).take(1)
    }

    /// This without `byte`, if it starts with it.
    pub(crate) fn without(self, byte: u8) -> Self {
        self.skip(usize::from(self.byte(0) == byte))
    }

    /// The index of the first byte that `is_it` picks.
    pub(crate) fn position(self, is_it: impl Fn(u8) -> bool) -> Option<usize> {
        self.bytes.iter().position(|byte| is_it(*byte))
    }

    /// The index of the first `byte`.
    pub(crate) fn find(self, byte: u8) -> Option<usize> {
        self.position(|other| other == byte)
    }

    /// Whether the text contains `byte`.
    pub(crate) fn has(self, byte: u8) -> bool {
        self.bytes.contains(&byte)
    }

    /// The index of the first byte that is one of `set`.
    pub(crate) fn find_any(self, set: &[u8]) -> Option<usize> {
        self.position(|byte| set.contains(&byte))
    }

    /// The index of the first `byte` that does not stand between `[` and `]`.
    pub(crate) fn find_outside_brackets(self, byte: u8) -> Option<usize> {
        let mut inside = false;
        self.bytes.iter().position(|found| {
            match found {
                b'[' => inside = true,
                b']' => inside = false,
                _ => {}
            }
            *found == byte && !inside
        })
    }

    /// The text before and after the first `separator`.
    pub(crate) fn split_once(self, separator: u8) -> Option<(Self, Self)> {
        self.find(separator).map(|index| (self.take(index), self.skip(index + 1)))
    }

    /// The text before the first `separator`, and the text after it (`None` without one).
    pub(crate) fn head(self, separator: u8) -> (Self, Option<Self>) {
        self.split_once(separator).map_or((self, None), |(head, tail)| (head, Some(tail)))
    }

    /// The parts between separators, where `find` finds the next one; at least one.
    pub(crate) fn parts_by(
        self,
        find: impl Fn(Self) -> Option<usize>,
    ) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let list = rest?;
            let end = find(list);
            rest = end.map(|end| list.skip(end + 1));
            Some(end.map_or(list, |end| list.take(end)))
        })
    }

    /// The parts between the separators; at least one.
    pub(crate) fn parts(self, separator: u8) -> impl Iterator<Item = Self> {
        self.parts_by(move |list| list.find(separator))
    }

    /// The parts between the separators that are not empty, as `strtok` finds them, read with `read`; an error if
    /// there is none.
    pub(crate) fn items<T>(
        self,
        separator: u8,
        none: &'static str,
        read: impl FnMut(Self) -> Result<T, Fault>,
    ) -> Result<Vec<T>, Fault> {
        let parts = self.parts(separator).filter(|part| !part.is_empty());
        let items: Vec<T> = parts.map(read).collect::<Result<_, _>>()?;
        if items.is_empty() { Err(self.fault(none)) } else { Ok(items) }
    }

    /// The length of the run of ASCII digits at the start.
    pub(crate) fn leading_digits(self) -> usize {
        self.position(|byte| !byte.is_ascii_digit()).unwrap_or(self.len())
    }

    /// Whether there is at least one byte and all are ASCII digits.
    pub(crate) fn is_digits(self) -> bool {
        !self.is_empty() && self.leading_digits() == self.len()
    }

    /// Whether this is `word`, letter by letter.
    pub(crate) fn is(self, word: &str) -> bool {
        self.bytes == word.as_bytes()
    }

    /// Whether this is `word` in any mix of ASCII case.
    pub(crate) fn is_any_case(self, word: &str) -> bool {
        self.bytes.eq_ignore_ascii_case(word.as_bytes())
    }

    /// Whether this starts with `word` in any mix of ASCII case.
    pub(crate) fn starts_with_any_case(self, word: &str) -> bool {
        self.len() >= word.len() && self.take(word.len()).is_any_case(word)
    }

    /// Whether this is the start of `word` in any mix of ASCII case, or all of it.
    pub(crate) fn starts_word(self, word: &str) -> bool {
        Text::new(word).take(self.len()).bytes.eq_ignore_ascii_case(self.bytes)
    }

    /// The position in `words` of the word that this is, in any mix of ASCII case.
    pub(crate) fn position_in(self, words: &[&str]) -> Option<usize> {
        words.iter().position(|word| self.is_any_case(word))
    }

    /// The word that this is, in any mix of ASCII case, as `words` spells it; otherwise a fault with `reason`.
    pub(crate) fn word_of<'w>(
        self,
        words: &[&'w str],
        reason: &'static str,
    ) -> Result<&'w str, Fault> {
        self.position_in(words).map(|index| words[index]).ok_or_else(|| self.is_fault(reason))
    }

    /// This without the white space (C's `isspace`) at its start.
    pub(crate) fn trim_start(self) -> Self {
        self.skip(self.position(|byte| !is_space(byte)).unwrap_or(self.len()))
    }

    /// This without the white space (C's `isspace`) at its end.
    pub(crate) fn trim_end(self) -> Self {
        let last = self.bytes.iter().rposition(|byte| !is_space(*byte));
        self.take(last.map_or(0, |last| last + 1))
    }

    /// The text without the blanks and the sign that `strtol` skips before a number that is not negative.
    pub(crate) fn unsigned(self) -> Self {
        self.trim_start().without(b'+')
    }

    /// This part as text; the grammars cut at ASCII bytes only, so nothing is ever replaced.
    pub(crate) fn to_text(self) -> String {
        String::from_utf8_lossy(self.bytes).into_owned()
    }

    /// A fault of this part, read as "`part` is {reason}".
    pub(crate) fn is_fault(self, reason: &'static str) -> Fault {
        Fault::about(self.start, self.end(), reason)
    }

    /// A fault at this part that needs no mention of its text.
    pub(crate) fn fault(self, reason: &'static str) -> Fault {
        Fault::at(self.start, self.end(), reason)
    }
}

/// C's `isspace` in the C locale.
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}
