//! A refused value, for people.

use std::fmt;
use std::ops::Range;

use super::fault::Fault;
use super::kind::ValueKind;
use super::spec::OptionSpec;
use super::suggest;

/// A value that an option does not take: what is wrong, where, and what to write instead.
///
/// ```
/// let memory = slurm_core::options::lookup("mem").unwrap();
/// let refused = memory.parse("4 G").unwrap_err();
/// assert_eq!(refused.to_string(), "`4 G`: no space between number and unit; write `4G`");
/// assert_eq!(refused.option(), Some("mem"));
/// assert_eq!(refused.range(), 1..2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidValue {
    option: Option<&'static str>,
    value: String,
    fault: Fault,
    expected: &'static str,
    suggestion: Option<String>,
    example: &'static str,
}

impl InvalidValue {
    /// A value that `spec` refuses.
    pub(crate) fn of_option(spec: &OptionSpec, value: &str, fault: Fault) -> Self {
        Self {
            option: Some(spec.key),
            suggestion: suggest::near(spec.kind, value, |value| spec.check(value)),
            example: spec.example,
            ..Self::bare(spec.kind, value, fault)
        }
    }

    /// A value that no option of this kind takes.
    pub(crate) fn of_kind(kind: ValueKind, value: &str, fault: Fault) -> Self {
        Self {
            suggestion: suggest::near(kind, value, |value| kind.check(value)),
            ..Self::bare(kind, value, fault)
        }
    }

    /// A raw flag that cannot be passed on.
    pub(crate) fn of_extra(flag: &str, fault: Fault) -> Self {
        Self {
            expected: "one argument of sbatch's command line",
            example: "--flag=value",
            ..Self::bare(ValueKind::Text, flag, fault)
        }
    }

    fn bare(kind: ValueKind, value: &str, fault: Fault) -> Self {
        Self {
            option: None,
            value: value.to_owned(),
            fault,
            expected: kind.expected(),
            suggestion: None,
            example: kind.example(),
        }
    }

    /// Returns the key of the option, such as `cpus_per_task`, when one was asked.
    #[must_use]
    pub const fn option(&self) -> Option<&'static str> {
        self.option
    }

    /// Returns the refused value.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Returns the bytes of the value that are wrong; empty where something is missing.
    #[must_use]
    pub const fn range(&self) -> Range<usize> {
        self.fault.range()
    }

    /// Returns the wrong part of the value.
    #[must_use]
    pub fn part(&self) -> &str {
        self.value.get(self.fault.range()).unwrap_or_default()
    }

    /// Returns why the value is refused.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.fault.reason()
    }

    /// Returns what the option takes, in words.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        self.expected
    }

    /// Returns a valid value near the refused one, when there is one.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }

    /// Returns a valid value: the [`suggestion`](Self::suggestion), or the option's own example.
    #[must_use]
    pub fn example(&self) -> &str {
        self.suggestion.as_deref().unwrap_or(self.example)
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.describe(&self.value).as_str())?;
        match &self.suggestion {
            Some(suggestion) => write!(f, "; write `{suggestion}`"),
            None if self.example.is_empty() => Ok(()),
            // Some reasons already say what is expected.
            None if self.fault.reason().contains("expected") => {
                write!(f, "; for example `{}`", self.example)
            }
            None => write!(
                f,
                "; expected {}, for example `{}`",
                self.expected, self.example
            ),
        }
    }
}

impl std::error::Error for InvalidValue {}
