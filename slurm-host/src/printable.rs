//! Text of others, made harmless for a terminal.

use std::fmt::{self, Write};

/// Text of a task, a cluster or a file, shown so that it cannot do anything to a terminal but print.
///
/// Line breaks and tabs stay. Other control characters, among them those that begin escape sequences, and the
/// marks that turn the direction of what follows are written as Rust would: `\u{1b}`.
#[derive(Clone, Copy, Debug)]
pub struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

struct Escaping<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_harmful(*c)) {
            self.0.write_str(&rest[..at])?;
            write!(self.0, "{}", c.escape_unicode())?;
            rest = &rest[at + c.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

fn is_harmful(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (c.is_control() && !matches!(c, '\n' | '\t')) || turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_sequence_reaches_a_terminal() {
        let title = "\u{1b}]0;owned\u{7}\u{1b}[2Jred\r\u{9b}31m\u{202e}txt\u{7f}";
        assert_eq!(
            Printable(title).to_string(),
            "\\u{1b}]0;owned\\u{7}\\u{1b}[2Jred\\u{d}\\u{9b}31m\\u{202e}txt\\u{7f}"
        );
        assert_eq!(Printable("grün\n\tzwei\n").to_string(), "grün\n\tzwei\n");
        let every: String = (0..0x2100).filter_map(char::from_u32).collect();
        assert!(Printable(every).to_string().chars().all(|c| !is_harmful(c)));
    }
}
