//! Problems of a value.

use std::ops::Range;

/// The problem of a value: a reason, and the bytes of the value that it is about.
///
/// Produced by [`OptionSpec::check`](super::OptionSpec::check).
/// [`InvalidValue`](super::InvalidValue) is the same for people: with the value and a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    reason: &'static str,
    start: usize,
    end: usize,
    about_part: bool,
}

impl Fault {
    /// A reason that reads on its own.
    pub(crate) fn at(start: usize, end: usize, reason: &'static str) -> Self {
        Self { reason, start, end, about_part: false }
    }

    /// A reason that completes "`part` is …".
    pub(crate) fn about(start: usize, end: usize, reason: &'static str) -> Self {
        Self { reason, start, end, about_part: true }
    }

    /// The same about whole letters of `value`.
    pub(crate) fn widened(self, value: &str) -> Self {
        let is_boundary = |index: &usize| value.is_char_boundary(*index);
        let start = (0..=self.start).rfind(is_boundary).unwrap_or(0);
        let end = (self.end..=value.len()).find(is_boundary).unwrap_or(value.len());
        Self { start, end, ..self }
    }

    /// Returns why the value is refused, in lower case and without a full stop.
    ///
    /// Some reasons are about the text in [`range`](Self::range) and complete the sentence "`part` is …".
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// Returns the bytes of the value that are wrong; empty where something is missing.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Returns the whole message about `value`, which is shortened if it is long.
    #[must_use]
    pub fn describe(&self, value: &str) -> String {
        let mut text = String::new();
        if !value.is_empty() {
            text = format!("{}: ", quoted(value));
        }
        let part = value.get(self.range()).unwrap_or_default();
        if self.about_part && part != value {
            text.push_str(&format!("{} is ", quoted(part)));
        }
        text.push_str(self.reason);
        text
    }
}

/// The text in backquotes, shortened, with its control characters as escapes.
fn quoted(text: &str) -> String {
    const LONGEST: usize = 60;
    let end = (0..=LONGEST.min(text.len())).rfind(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let (shown, more) = text.split_at(end);
    let escape = |letter: char| match letter {
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        letter if letter.is_ascii_control() => "\\?".to_owned(),
        letter => letter.to_string(),
    };
    let shown: String = shown.chars().map(escape).collect();
    format!("`{shown}{}`", if more.is_empty() { "" } else { "…" })
}
