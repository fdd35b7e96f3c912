//! What is wrong with a value, in a form that a const context can hold.

use std::ops::Range;

/// What is wrong with a value: a reason, and which bytes of the value it is about.
///
/// Produced by [`OptionSpec::check`](super::OptionSpec::check), also in a const context.
/// [`InvalidValue`](super::InvalidValue) is the same for people: with the value, and with an
/// example near what was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    reason: &'static str,
    start: usize,
    end: usize,
    about_part: bool,
}

impl Fault {
    /// A reason that reads on its own.
    pub(crate) const fn at(start: usize, end: usize, reason: &'static str) -> Self {
        Self { reason, start, end, about_part: false }
    }

    /// A reason that completes "`part` is …".
    pub(crate) const fn about(start: usize, end: usize, reason: &'static str) -> Self {
        Self { reason, start, end, about_part: true }
    }

    /// The same about whole letters of `value`.
    pub(crate) const fn widened(self, value: &str) -> Self {
        let (mut start, mut end) = (self.start, self.end);
        while start > 0 && !value.is_char_boundary(start) {
            start -= 1;
        }
        while end < value.len() && !value.is_char_boundary(end) {
            end += 1;
        }
        Self { start, end, ..self }
    }

    /// Returns why the value is refused, in lower case and without a full stop.
    ///
    /// When [`is_about_part`](Self::is_about_part), it completes the sentence "`part` is …".
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// Returns the bytes of the value that are wrong; empty where something is missing.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Returns whether the reason completes the sentence "`part` is …", where `part` is the text in
    /// [`range`](Self::range).
    #[must_use]
    pub const fn is_about_part(&self) -> bool {
        self.about_part
    }

    /// Returns the whole message about `value`, as text that a const context can hold.
    ///
    /// ```
    /// use slurm_core::options::find;
    /// const fn checked(value: &'static str) -> &'static str {
    ///     match find("mem") {
    ///         Some(option) => match option.check(value) {
    ///             Ok(()) => value,
    ///             Err(fault) => panic!("{}", fault.describe(value).as_str()),
    ///         },
    ///         None => panic!("no such option"),
    ///     }
    /// }
    /// const MEMORY: &str = checked("4G");
    /// assert_eq!(MEMORY, "4G");
    /// ```
    #[must_use]
    pub const fn describe(&self, value: &str) -> FaultText {
        let mut text = FaultText { bytes: [0; FaultText::CAPACITY], length: 0 };
        if !value.is_empty() {
            text.push_quoted(value.as_bytes(), 0, value.len());
            text.push(b": ");
        }
        if self.about_part && !(self.start == 0 && self.end >= value.len()) {
            text.push_quoted(value.as_bytes(), self.start, self.end);
            text.push(b" is ");
        }
        text.push(self.reason.as_bytes());
        text
    }
}

/// A message in a fixed buffer, for const contexts. Long values are shortened.
#[derive(Clone, Copy, Debug)]
pub struct FaultText {
    bytes: [u8; Self::CAPACITY],
    length: usize,
}

impl FaultText {
    const CAPACITY: usize = 512;
    const QUOTED: usize = 60;

    /// Returns the message.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        let (text, _) = self.bytes.split_at(self.length);
        match std::str::from_utf8(text) {
            Ok(text) => text,
            Err(_) => "the value breaks the option's grammar",
        }
    }

    const fn push(&mut self, bytes: &[u8]) {
        let mut index = 0;
        while index < bytes.len() {
            self.push_byte(bytes[index]);
            index += 1;
        }
    }

    /// Appends a byte; a control character as its escape.
    const fn push_byte(&mut self, byte: u8) {
        let escaped = match byte {
            b'\t' => b't',
            b'\n' => b'n',
            b'\r' => b'r',
            0..=0x1f | 0x7f => b'?',
            _ => 0,
        };
        if self.length + 1 < Self::CAPACITY {
            if escaped != 0 {
                self.bytes[self.length] = b'\\';
                self.length += 1;
            }
            self.bytes[self.length] = if escaped != 0 { escaped } else { byte };
            self.length += 1;
        }
    }

    /// Appends `bytes[start..end]` in backquotes, cut at a character's border when it is long.
    const fn push_quoted(&mut self, bytes: &[u8], start: usize, end: usize) {
        let end = if end < bytes.len() { end } else { bytes.len() };
        let start = if start < end { start } else { end };
        let (head, _) = bytes.split_at(end);
        let (_, part) = head.split_at(start);
        self.push(b"`");
        if part.len() <= Self::QUOTED {
            self.push(part);
        } else {
            let mut cut = Self::QUOTED;
            while cut > 0 && part[cut] & 0xc0 == 0x80 {
                cut -= 1;
            }
            self.push(part.split_at(cut).0);
            self.push("…".as_bytes());
        }
        self.push(b"`");
    }
}
