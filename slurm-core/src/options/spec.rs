//! One row of the table of options.

use super::fault::Fault;
use super::invalid::InvalidValue;
use super::kind::ValueKind;
use super::release::Release;
use super::value::OptionValue;

/// One option of sbatch: its names, its grammar, and which releases have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionSpec {
    /// sbatch's long name, such as `cpus-per-task`.
    pub name: &'static str,
    /// The name in attributes, setters and Slurmfiles, such as `cpus_per_task`.
    pub key: &'static str,
    /// sbatch's one-letter name.
    pub short: Option<char>,
    /// The form of a value.
    pub kind: ValueKind,
    /// Whether a value may or must follow.
    pub argument: Argument,
    /// The first release that has the option; every release that the table describes has an older one.
    pub since: Release,
    /// The first release that no longer has it.
    pub until: Option<Release>,
    /// Who refuses a wrong value.
    pub checked_by: CheckedBy,
    /// Other long names of sbatch for it.
    pub aliases: &'static [&'static str],
    /// Its effect, in one sentence.
    pub summary: &'static str,
    /// A valid value; empty for a flag.
    pub example: &'static str,
    /// Further facts; may be empty.
    pub note: &'static str,
}

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Argument {
    /// It is a flag.
    None,
    /// It may stand alone or with a value.
    Optional,
    /// A value must follow.
    Required,
}

/// Who refuses a wrong value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CheckedBy {
    /// sbatch itself, before anything is sent.
    Client,
    /// The controller, when the job arrives.
    Controller,
}

impl OptionSpec {
    /// Checks a value against the option's grammar; an empty one stands for "no value given".
    ///
    /// # Errors
    ///
    /// Returns the problem of the value.
    pub fn check(&self, value: &str) -> Result<(), Fault> {
        self.canonical(value).map(drop)
    }

    /// The canonical form of a value, if one is given.
    fn canonical(&self, value: &str) -> Result<Option<String>, Fault> {
        match self.argument {
            Argument::None | Argument::Optional if value.is_empty() => Ok(None),
            Argument::None => ValueKind::Flag.grammar().check(value).map(Some),
            Argument::Optional | Argument::Required => self.kind.grammar().check(value).map(Some),
        }
    }

    /// The error for a value with this fault.
    pub(crate) fn refuse(&self, value: &str, fault: Fault) -> InvalidValue {
        InvalidValue::new(self.kind.grammar(), value, fault, |value| self.check(value))
            .of_option(self.key, self.example)
    }

    /// Reads a value and returns it in canonical form; an empty one stands for "no value given".
    ///
    /// # Errors
    ///
    /// Returns the problem of the value, with a valid example.
    pub fn parse(&self, value: &str) -> Result<OptionValue, InvalidValue> {
        match self.canonical(value) {
            Err(fault) => Err(self.refuse(value, fault)),
            Ok(None) => Ok(OptionValue::Flag),
            // A canonical form can be longer, and the controller bounds the length.
            Ok(Some(canonical)) if canonical.len() > self.kind.grammar().longest.0 => {
                Ok(OptionValue::Value(value.to_owned()))
            }
            Ok(Some(canonical)) => Ok(OptionValue::Value(canonical)),
        }
    }

    /// Returns the first release that has the option and takes the (canonical) value.
    #[must_use]
    pub fn since_with(&self, value: &OptionValue) -> Release {
        let with_value = value.as_str().and_then(|value| (self.kind.grammar().since)(value));
        match value {
            OptionValue::Unset => Release::new(0, 1),
            _ => with_value.map_or(self.since, |since| since.max(self.since)),
        }
    }

    /// Returns the first release that no longer has the option or no longer takes the (canonical)
    /// value.
    #[must_use]
    pub fn until_with(&self, value: &OptionValue) -> Option<Release> {
        let with_value = value.as_str().and_then(|value| (self.kind.grammar().until)(value));
        match value {
            OptionValue::Unset => None,
            _ => self.until.or(with_value),
        }
    }
}
