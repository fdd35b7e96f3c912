//! Reads TOML values, and collects the problems with their places.

use std::ops::Range;
use std::str::FromStr;

use slurm_core::options;
use slurm_core::word_enum::UnknownWord;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Problem;

pub(super) type Value<'a> = Spanned<DeValue<'a>>;

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) name: &'a str,
    pub(super) problems: Vec<Problem>,
}

/// Returns the line and the column of a byte, both from 1. The column counts characters.
pub(super) fn place(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl<'a> Reader<'a> {
    pub(super) fn problem(&mut self, span: Range<usize>, message: impl Into<String>) {
        let (line, column) = place(self.text, span.start);
        self.problems.push(Problem { line, column, message: message.into() });
    }

    pub(super) fn unknown(
        &mut self,
        span: Range<usize>,
        what: &str,
        name: &str,
        known: &[&'static str],
    ) {
        let message = match options::closest(name, known.iter().copied()) {
            Some(meant) => format!("unknown {what} `{name}`; did you mean `{meant}`?"),
            None => format!("unknown {what} `{name}`; expected one of: {}", known.join(", ")),
        };
        self.problem(span, message);
    }

    pub(super) fn table<'v>(
        &mut self,
        value: &'v Value<'a>,
        what: &str,
    ) -> Option<&'v DeTable<'a>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                self.problem(
                    value.span(),
                    format!("{what} is a table, not {}", with_article(other.type_str())),
                );
                None
            }
        }
    }

    /// Reads one of the words of an enum.
    pub(super) fn word<T: FromStr<Err = UnknownWord>>(
        &mut self,
        value: &Value<'a>,
        what: &str,
    ) -> Option<T> {
        let text = self.text(value, what)?;
        let word = text.parse();
        word.map_err(|error: UnknownWord| {
            self.unknown(value.span(), error.what, &text, error.expected);
        })
        .ok()
    }

    pub(super) fn number<N: FromStr>(&mut self, value: &Value<'a>, what: &str) -> Option<N> {
        let number = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => {
                number.as_str().replace('_', "").parse().ok()
            }
            _ => None,
        };
        if number.is_none() {
            self.problem(value.span(), format!("{what} is a whole number"));
        }
        number
    }

    pub(super) fn text(&mut self, value: &Value<'a>, what: &str) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            other => {
                self.problem(
                    value.span(),
                    format!("{what} is a string, not {}", with_article(other.type_str())),
                );
                None
            }
        }
    }
}

/// Adds the indefinite article to the name of a TOML type.
fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {name}")
}
