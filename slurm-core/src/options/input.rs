//! Values that a caller may pass for an option.

use std::time::Duration;

use super::fault::Fault;
use super::invalid::InvalidValue;
use super::kind::ValueKind;
use super::spec::{Argument, OptionSpec};
use super::types::walltime::{MAX_SECONDS, whole_seconds};
use super::types::{
    AccountName, ArraySpec, DateTime, Dependency, HostList, JobName, Memory, NodeCount,
    PartitionName, QosName, Signal, Walltime,
};
use super::value::OptionValue;

/// A value that a caller passes for an option: text, an integer, a boolean, a duration or a list.
///
/// * Text is read as on sbatch's command line.
/// * An integer stands for its digits: `time = 30` is 30 minutes, as for sbatch.
/// * `true` sets a flag; `false` takes back an inherited one. Options with the values `yes` and
///   `no`, or `1` and `0`, take the boolean as that.
/// * A [`Duration`] is a time limit, or a point in time counted from the submission.
/// * A list is joined the way the option joins its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionInput(Input);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Input {
    Text(String),
    Bool(bool),
    Duration(Duration),
    List(Vec<String>),
}

impl OptionInput {
    /// The value as text for `spec`; `None` removes an inherited value.
    pub(crate) fn into_text(self, spec: &OptionSpec) -> Result<Option<String>, InvalidValue> {
        let refuse = |shown: &str, reason| spec.refuse(shown, Fault::at(0, shown.len(), reason));
        match self.0 {
            Input::Text(text) => Ok(Some(text)),
            Input::Bool(set) => match spec.kind.grammar().booleans {
                Some((yes, no)) => Ok(Some(if set { yes } else { no }.to_owned())),
                None if matches!(spec.argument, Argument::Required) => Err(refuse(
                    if set { "true" } else { "false" },
                    "this option takes a value, not a boolean",
                )),
                None => Ok(set.then(String::new)),
            },
            Input::Duration(duration) => {
                let seconds = whole_seconds(duration);
                let text = match spec.kind {
                    ValueKind::Walltime if seconds <= MAX_SECONDS => {
                        Ok(Walltime::from_seconds(seconds).to_string())
                    }
                    ValueKind::Walltime => Err("too long: Slurm counts at most 24855 days"),
                    ValueKind::DateTime => Ok(format!("now+{seconds}")),
                    _ => Err("this option takes no duration"),
                };
                match text {
                    Ok(text) => Ok(Some(text)),
                    Err(reason) => Err(refuse(&format!("{duration:?}"), reason)),
                }
            }
            Input::List(items) => match spec.kind.grammar().separator {
                Some(separator) => Ok(Some(items.join(separator))),
                None => match <[String; 1]>::try_from(items) {
                    Ok([item]) => Ok(Some(item)),
                    Err(items) => {
                        Err(refuse(&items.join(","), "this option takes one value, not a list"))
                    }
                },
            },
        }
    }
}

impl OptionSpec {
    /// Reads the value that a caller passed for the option.
    ///
    /// # Errors
    ///
    /// Returns the problem of the value, or that the option does not take a value of this type.
    pub fn parse_input(&self, input: OptionInput) -> Result<OptionValue, InvalidValue> {
        match input.into_text(self)? {
            Some(text) => self.parse(&text),
            None => Ok(OptionValue::Unset),
        }
    }
}

impl From<&str> for OptionInput {
    fn from(text: &str) -> Self {
        Self(Input::Text(text.to_owned()))
    }
}

impl From<String> for OptionInput {
    fn from(text: String) -> Self {
        Self(Input::Text(text))
    }
}

impl From<&String> for OptionInput {
    fn from(text: &String) -> Self {
        Self(Input::Text(text.clone()))
    }
}

impl From<bool> for OptionInput {
    fn from(set: bool) -> Self {
        Self(Input::Bool(set))
    }
}

impl From<Duration> for OptionInput {
    fn from(duration: Duration) -> Self {
        Self(Input::Duration(duration))
    }
}

impl<T: ToString, const N: usize> From<[T; N]> for OptionInput {
    fn from(items: [T; N]) -> Self {
        Self(Input::List(items.iter().map(T::to_string).collect()))
    }
}

impl<T: ToString> From<&[T]> for OptionInput {
    fn from(items: &[T]) -> Self {
        Self(Input::List(items.iter().map(T::to_string).collect()))
    }
}

impl<T: ToString> From<Vec<T>> for OptionInput {
    fn from(items: Vec<T>) -> Self {
        Self(Input::List(items.iter().map(T::to_string).collect()))
    }
}

macro_rules! from_displayed {
    ($($type:ty),*) => {
        $(impl From<$type> for OptionInput {
            fn from(value: $type) -> Self {
                Self(Input::Text(value.to_string()))
            }
        })*
    };
}

from_displayed!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);
from_displayed!(ArraySpec, DateTime, Dependency, HostList, Memory, NodeCount, Signal, Walltime);
from_displayed!(AccountName, JobName, PartitionName, QosName);
