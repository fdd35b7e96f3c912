//! A refused value, for people.

use std::fmt;
use std::ops::Range;

use super::fault::Fault;
use super::grammar::Grammar;
use super::suggest;

/// A value that an option does not take: the problem, its place, and a valid value.
///
/// ```
/// let memory = slurm_core::options::lookup("mem").unwrap();
/// let refused = memory.parse("4 G").unwrap_err();
/// assert_eq!(refused.to_string(), "`4 G`: no space between number and unit; write `4G`");
/// assert_eq!(refused.option(), Some("mem"));
/// assert_eq!(refused.range(), 1..2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidValue(Box<Details>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Details {
    option: Option<&'static str>,
    value: String,
    fault: Fault,
    expected: &'static str,
    suggestion: Option<String>,
    example: &'static str,
}

impl InvalidValue {
    /// A value that `check` refuses, which follows `grammar`.
    pub(crate) fn new(
        grammar: &Grammar,
        value: &str,
        fault: Fault,
        check: impl Fn(&str) -> Result<(), Fault>,
    ) -> Self {
        Self(Box::new(Details {
            option: None,
            value: value.to_owned(),
            fault,
            expected: grammar.expected,
            suggestion: suggest::near(grammar, value, check),
            example: grammar.example,
        }))
    }

    /// The same, of an option with an example of its own.
    pub(crate) fn of_option(mut self, key: &'static str, example: &'static str) -> Self {
        (self.0.option, self.0.example) = (Some(key), example);
        self
    }

    /// A raw flag that cannot be passed on.
    pub(crate) fn of_extra(flag: &str, fault: Fault) -> Self {
        Self(Box::new(Details {
            option: None,
            value: flag.to_owned(),
            fault,
            expected: "one argument of sbatch's command line",
            suggestion: None,
            example: "--flag=value",
        }))
    }

    /// Returns the key of the option, such as `cpus_per_task`, when one was asked.
    #[must_use]
    pub const fn option(&self) -> Option<&'static str> {
        self.0.option
    }

    /// Returns the refused value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.0.value
    }

    /// Returns the bytes of the value that are wrong; empty where something is missing.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.0.fault.range()
    }

    /// Returns why the value is refused.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.0.fault.reason()
    }

    /// Returns a description of valid values.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        self.0.expected
    }

    /// Returns a valid value near the refused one, when there is one.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.0.suggestion.as_deref()
    }

    /// Returns the value and the problem with it, without advice.
    #[must_use]
    pub fn message(&self) -> String {
        self.0.fault.describe(&self.0.value)
    }

    /// Returns the advice: a value to write instead, or a description of valid values.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let Details { suggestion, example, expected, fault, .. } = &*self.0;
        match suggestion {
            Some(suggestion) => Some(format!("write `{suggestion}`")),
            None if example.is_empty() => None,
            // Some reasons already describe valid values.
            None if fault.reason().contains("expected") => Some(format!("for example `{example}`")),
            None => Some(format!("expected {expected}, for example `{example}`")),
        }
    }

    /// Returns a valid value: the [`suggestion`](Self::suggestion), or the option's own example.
    #[must_use]
    pub fn example(&self) -> &str {
        self.0.suggestion.as_deref().unwrap_or(self.0.example)
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        self.hint().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for InvalidValue {}
