//! A part of a value: the bytes, and where they stand in the whole.

use super::fault::Fault;

/// A part of an option's value that remembers where in the value it stands.
///
/// Everything here is `const fn`, because the grammars run in a const context when an attribute
/// names a `const`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a> {
    bytes: &'a [u8],
    start: usize,
}

impl<'a> Text<'a> {
    /// The whole of a value.
    pub(crate) const fn new(value: &'a str) -> Self {
        Self { bytes: value.as_bytes(), start: 0 }
    }

    /// The bytes themselves.
    pub(crate) const fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The number of bytes.
    pub(crate) const fn len(self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is left.
    pub(crate) const fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    /// Where this part starts in the value.
    pub(crate) const fn start(self) -> usize {
        self.start
    }

    /// Where this part ends in the value.
    pub(crate) const fn end(self) -> usize {
        self.start + self.bytes.len()
    }

    /// The byte at `index`, or NUL (which no value holds) past the end.
    pub(crate) const fn byte(self, index: usize) -> u8 {
        if index < self.bytes.len() { self.bytes[index] } else { 0 }
    }

    /// The last byte, or NUL when there is none.
    pub(crate) const fn last(self) -> u8 {
        match self.bytes.last() {
            Some(byte) => *byte,
            None => 0,
        }
    }

    /// The part before `index` and the part from it on.
    pub(crate) const fn split_at(self, index: usize) -> (Self, Self) {
        let index = if index < self.bytes.len() { index } else { self.bytes.len() };
        let (head, tail) = self.bytes.split_at(index);
        (Self { bytes: head, start: self.start }, Self { bytes: tail, start: self.start + index })
    }

    /// The first `count` bytes.
    pub(crate) const fn take(self, count: usize) -> Self {
        self.split_at(count).0
    }

    /// Everything after the first `count` bytes.
    pub(crate) const fn skip(self, count: usize) -> Self {
        self.split_at(count).1
    }

    /// The index of the first `byte`.
    pub(crate) const fn find(self, byte: u8) -> Option<usize> {
        let mut index = 0;
        while index < self.bytes.len() {
            if self.bytes[index] == byte {
                return Some(index);
            }
            index += 1;
        }
        None
    }

    /// The index of the first `byte` that does not stand between `[` and `]`.
    pub(crate) const fn find_outside_brackets(self, byte: u8) -> Option<usize> {
        let mut inside = false;
        let mut index = 0;
        while index < self.bytes.len() {
            match self.bytes[index] {
                b'[' => inside = true,
                b']' => inside = false,
                found if found == byte && !inside => return Some(index),
                _ => {}
            }
            index += 1;
        }
        None
    }

    /// The index of the first byte that is one of `set`.
    pub(crate) const fn find_any(self, set: &[u8]) -> Option<usize> {
        let mut index = 0;
        while index < self.bytes.len() {
            if contains(set, self.bytes[index]) {
                return Some(index);
            }
            index += 1;
        }
        None
    }

    /// What stands before and after the first `separator`.
    pub(crate) const fn split_once(self, separator: u8) -> Option<(Self, Self)> {
        match self.find(separator) {
            Some(index) => Some((self.take(index), self.skip(index + 1))),
            None => None,
        }
    }

    /// The part up to the first `separator`, and what follows it (`None` at the end).
    pub(crate) const fn next_part(self, separator: u8) -> (Self, Option<Self>) {
        match self.split_once(separator) {
            Some((part, rest)) => (part, Some(rest)),
            None => (self, None),
        }
    }

    /// The parts between the separators, where no const fn is asked for.
    pub(crate) fn parts(self, separator: u8) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let (part, tail) = rest?.next_part(separator);
            rest = tail;
            Some(part)
        })
    }

    /// The length of the run of ASCII digits at the start.
    pub(crate) const fn leading_digits(self) -> usize {
        let mut index = 0;
        while index < self.bytes.len() && self.bytes[index].is_ascii_digit() {
            index += 1;
        }
        index
    }

    /// Whether there is at least one byte and all are ASCII digits.
    pub(crate) const fn is_digits(self) -> bool {
        !self.is_empty() && self.leading_digits() == self.len()
    }

    /// Whether this is `word`, letter by letter.
    pub(crate) const fn is(self, word: &str) -> bool {
        let word = word.as_bytes();
        if word.len() != self.bytes.len() {
            return false;
        }
        let mut index = 0;
        while index < word.len() {
            if word[index] != self.bytes[index] {
                return false;
            }
            index += 1;
        }
        true
    }

    /// Whether this is `word` in any mix of ASCII case.
    pub(crate) const fn is_any_case(self, word: &str) -> bool {
        word.len() == self.bytes.len() && self.starts_with_any_case(word)
    }

    /// Whether both are the same in any mix of ASCII case.
    pub(crate) const fn same_any_case(self, other: Text<'_>) -> bool {
        if self.bytes.len() != other.bytes.len() {
            return false;
        }
        let mut index = 0;
        while index < self.bytes.len() {
            if !self.bytes[index].eq_ignore_ascii_case(&other.bytes[index]) {
                return false;
            }
            index += 1;
        }
        true
    }

    /// Whether this starts with `word` in any mix of ASCII case.
    pub(crate) const fn starts_with_any_case(self, word: &str) -> bool {
        word.len() <= self.bytes.len() && self.take(word.len()).same_any_case(Text::new(word))
    }

    /// The position in `words` of the word that this is, in any mix of ASCII case.
    pub(crate) const fn position_in(self, words: &[&str]) -> Option<usize> {
        let mut index = 0;
        while index < words.len() {
            if self.is_any_case(words[index]) {
                return Some(index);
            }
            index += 1;
        }
        None
    }

    /// This without the white space (C's `isspace`) at its start.
    pub(crate) const fn trim_start(self) -> Self {
        let mut index = 0;
        while index < self.bytes.len() && is_space(self.bytes[index]) {
            index += 1;
        }
        self.skip(index)
    }

    /// This without the white space (C's `isspace`) at its end.
    pub(crate) const fn trim_end(self) -> Self {
        let mut length = self.bytes.len();
        while length > 0 && is_space(self.bytes[length - 1]) {
            length -= 1;
        }
        self.take(length)
    }

    /// This part as text; the grammars cut at ASCII bytes only, so nothing is ever replaced.
    pub(crate) fn to_text(self) -> String {
        String::from_utf8_lossy(self.bytes).into_owned()
    }

    /// A fault of this part, read as "`part` is {reason}".
    pub(crate) const fn is_fault(self, reason: &'static str) -> Fault {
        Fault::about(self.start, self.end(), reason)
    }

    /// A fault at this part that needs no mention of its text.
    pub(crate) const fn fault(self, reason: &'static str) -> Fault {
        Fault::at(self.start, self.end(), reason)
    }
}

/// Whether `byte` is one of `set`.
pub(crate) const fn contains(set: &[u8], byte: u8) -> bool {
    let mut index = 0;
    while index < set.len() {
        if set[index] == byte {
            return true;
        }
        index += 1;
    }
    false
}

/// C's `isspace` in the C locale.
pub(crate) const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// The value of an `Ok`, or an early return with the fault: `?` for a const fn.
macro_rules! attempt {
    ($result:expr) => {
        match $result {
            Ok(value) => value,
            Err(fault) => return Err(fault),
        }
    };
}
pub(crate) use attempt;
