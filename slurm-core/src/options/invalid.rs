//! A refused value, for people.

use std::fmt;
use std::ops::Range;

use super::fault::Fault;
use super::kind::ValueKind;
use super::spec::OptionSpec;
use super::suggest;
use super::table::UnknownOption;

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
    /// A value that `spec` refuses.
    pub(crate) fn of_option(spec: &OptionSpec, value: &str, fault: Fault) -> Self {
        Self(Box::new(Details {
            option: Some(spec.key),
            suggestion: suggest::near(spec.kind, value, |value| spec.check(value)),
            example: spec.example,
            ..Details::new(spec.kind, value, fault)
        }))
    }

    /// A value that no option of this kind takes.
    pub(crate) fn of_kind(kind: ValueKind, value: &str, fault: Fault) -> Self {
        Self(Box::new(Details {
            suggestion: suggest::near(kind, value, |value| kind.check(value)),
            ..Details::new(kind, value, fault)
        }))
    }

    /// A raw flag that cannot be passed on.
    pub(crate) fn of_extra(flag: &str, fault: Fault) -> Self {
        Self(Box::new(Details {
            expected: "one argument of sbatch's command line",
            example: "--flag=value",
            ..Details::new(ValueKind::Text, flag, fault)
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

    /// Returns the wrong part of the value.
    #[must_use]
    pub fn part(&self) -> &str {
        self.0.value.get(self.0.fault.range()).unwrap_or_default()
    }

    /// Returns why the value is refused.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.0.fault.reason()
    }

    /// Returns what the option takes, in words.
    #[must_use]
    pub const fn expected(&self) -> &'static str {
        self.0.expected
    }

    /// Returns a valid value near the refused one, when there is one.
    #[must_use]
    pub fn suggestion(&self) -> Option<&str> {
        self.0.suggestion.as_deref()
    }

    /// Returns a valid value: the [`suggestion`](Self::suggestion), or the option's own example.
    #[must_use]
    pub fn example(&self) -> &str {
        self.0.suggestion.as_deref().unwrap_or(self.0.example)
    }
}

impl Details {
    fn new(kind: ValueKind, value: &str, fault: Fault) -> Self {
        Self {
            option: None,
            value: value.to_owned(),
            fault,
            expected: kind.expected(),
            suggestion: None,
            example: kind.example(),
        }
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.fault.describe(&self.0.value))?;
        match &self.0.suggestion {
            Some(suggestion) => write!(f, "; write `{suggestion}`"),
            None if self.0.example.is_empty() => Ok(()),
            // Some reasons already say what is expected.
            None if self.0.fault.reason().contains("expected") => {
                write!(f, "; for example `{}`", self.0.example)
            }
            None => write!(f, "; expected {}, for example `{}`", self.0.expected, self.0.example),
        }
    }
}

impl std::error::Error for InvalidValue {}

/// An option that cannot be set: there is none of that name, or it does not take the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// There is no such option.
    Unknown(UnknownOption),
    /// The option does not take the value.
    Invalid(InvalidValue),
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(error) => write!(f, "{error}"),
            Self::Invalid(error) => match error.option() {
                Some(key) => write!(f, "`{key}`: {error}"),
                None => write!(f, "{error}"),
            },
        }
    }
}

impl std::error::Error for OptionError {}

impl From<UnknownOption> for OptionError {
    fn from(error: UnknownOption) -> Self {
        Self::Unknown(error)
    }
}

impl From<InvalidValue> for OptionError {
    fn from(error: InvalidValue) -> Self {
        Self::Invalid(error)
    }
}
