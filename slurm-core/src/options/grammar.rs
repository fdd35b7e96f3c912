//! The grammar of one kind of value.

use std::fmt::{self, Display};

use super::fault::Fault;
use super::release::Release;
use super::text::Text;

/// One grammar: how a value is read, and how it is explained. The file of each kind has its own.
pub(crate) struct Grammar {
    /// The form and unit of a value, to follow "expected".
    pub(crate) expected: &'static str,
    /// A valid value; empty for a flag.
    pub(crate) example: &'static str,
    /// Details: units, limits, and differences between releases.
    pub(crate) details: &'static str,
    /// Reads a value that is not empty, and returns it in canonical form.
    pub(crate) canonical: fn(Text<'_>) -> Result<String, Fault>,
    /// The largest number of bytes that the controller takes, and the reason for refusing more.
    pub(crate) longest: (usize, &'static str),
    /// The separator, if the value is a list.
    pub(crate) separator: Option<&'static str>,
    /// The words for `true` and `false`, if the values are a yes and a no.
    pub(crate) booleans: Option<(&'static str, &'static str)>,
    /// The least and the largest integer, if the digits of every integer between them are a value.
    pub(crate) integers: Option<(i128, i128)>,
    /// The first release that takes this canonical value, if not all do.
    pub(crate) since: fn(&str) -> Option<Release>,
    /// The first release that no longer takes this canonical value.
    pub(crate) until: fn(&str) -> Option<Release>,
    /// The words that values are made of, to find the nearest one.
    pub(crate) words: &'static [&'static str],
    /// The right word for a common mistake, which is given in lower case.
    pub(crate) instead: fn(&str) -> Option<&'static str>,
    /// Changes of a refused value that may make it valid.
    pub(crate) nearby: fn(&str, &Fault) -> Vec<String>,
    /// Whether changes that suit most grammars may be tried too, such as leaving blanks out.
    pub(crate) forgiving: bool,
}

/// The limit of the controller on the length of a text (`_test_job_desc_fields` of `src/slurmctld/job_mgr.c`).
pub(crate) const TEXT: (usize, &str) = (1024, "too long: the controller takes at most 1024 bytes");
pub(crate) const PATH: (usize, &str) = (4096, "too long: the controller takes at most 4096 bytes");
pub(crate) const BURST_BUFFER: (usize, &str) =
    (8192, "too long: the controller takes at most 8192 bytes");
pub(crate) const LONG: (usize, &str) =
    (131_072, "too long: the controller takes at most 131072 bytes");
/// The whole command line may be so long.
pub(crate) const LINE: (usize, &str) =
    (1_048_576, "too long: the controller takes at most 1048576 bytes");

impl Grammar {
    /// A grammar that accepts any text that is not too long.
    pub(crate) const ANY: Self = Self {
        expected: "text of at most 1024 bytes",
        example: "training",
        details: "",
        canonical: |text| Ok(text.to_text()),
        longest: TEXT,
        separator: None,
        booleans: None,
        integers: None,
        since: |_| None,
        until: |_| None,
        words: &[],
        instead: |_| None,
        nearby: |_, _| Vec::new(),
        forgiving: true,
    };

    /// A grammar of texts for which corrections would be guesses.
    pub(crate) const VERBATIM: Self = Self {
        nearby: |value, _| vec![value.replace(char::is_control, " ").trim().to_owned()],
        forgiving: false,
        ..Self::ANY
    };
}

impl Grammar {
    /// Reads a value and returns it in canonical form.
    pub(crate) fn check(&self, value: &str) -> Result<String, Fault> {
        self.read(value, self.canonical)
    }

    /// Reads a value with `read` under the rules that hold for every value.
    pub(crate) fn read<'a, T>(
        &self,
        value: &'a str,
        read: impl FnOnce(Text<'a>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        // The grammars look at bytes and may stop within a letter.
        self.text(value).and_then(read).map_err(|fault| fault.widened(value))
    }

    fn text<'a>(&self, value: &'a str) -> Result<Text<'a>, Fault> {
        let text = Text::new(value);
        if text.is_empty() {
            return Err(text.fault("an empty value means nothing here: leave the option out"));
        }
        if let Some(index) = text.find_any(b"\0\n") {
            return Err(text.at(index).fault(match text.byte(index) {
                b'\n' => "a line break cannot stand in an option of a job script",
                _ => "a NUL byte cannot be passed to sbatch",
            }));
        }
        let (longest, reason) = self.longest;
        if text.len() > longest {
            return Err(text.skip(longest).fault(reason));
        }
        Ok(text)
    }
}

/// Writes items with `separator` between them.
pub(crate) fn write_list<T: Display>(
    f: &mut fmt::Formatter<'_>,
    separator: &str,
    items: impl IntoIterator<Item = T>,
) -> fmt::Result {
    for (index, item) in items.into_iter().enumerate() {
        f.write_str(if index > 0 { separator } else { "" })?;
        write!(f, "{item}")?;
    }
    Ok(())
}

/// Implements `FromStr` for a type that has `read`, under the rules of its grammar.
macro_rules! typed {
    ($type:ty, $grammar:path) => {
        impl ::std::str::FromStr for $type {
            type Err = $crate::options::InvalidValue;

            fn from_str(value: &str) -> Result<Self, Self::Err> {
                $grammar.read(value, Self::read).map_err(|fault| {
                    let check = |value: &str| $grammar.check(value).map(drop);
                    $crate::options::InvalidValue::new(&$grammar, value, fault, check)
                })
            }
        }
    };
}
pub(crate) use typed;
