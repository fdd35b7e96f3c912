//! Problems with the options of a submission.

use std::fmt;

use slurm_core::options::{Conflict, InvalidValue, OptionError, Source, UnknownOption};

use super::Error;

/// A problem with the options of a submission.
///
/// Its text is the message and the hint. Problems in a Slurmfile are a
/// [`SlurmfileError`](super::SlurmfileError), which has the line.
///
/// ```
/// # #[slurm::task]
/// # fn train(epochs: u32) -> f64 { f64::from(epochs) }
/// # fn main() -> slurm::Result<()> {
/// # let dir = std::env::temp_dir();
/// # let cluster = slurm::Cluster::builder().job_base_dir(dir).backend(slurm::BackendKind::Local).build()?;
/// let error = train::job(90).time("4 h").explain(&cluster).unwrap_err();
/// let slurm::Error::Options { problems } = error else { return Err(error) };
/// assert_eq!(problems[0].option.as_deref(), Some("time"));
/// assert_eq!(problems[0].value.as_deref(), Some("4 h"));
/// assert_eq!(problems[0].source, Some(slurm::options::Source::CallSite));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionProblem {
    /// The option or setting, such as `cpus_per_task` or `setup`; `None` if the problem concerns no single one.
    pub option: Option<String>,
    /// The value, if the value itself is wrong.
    pub value: Option<String>,
    /// The problem, as a sentence that names the option.
    pub message: String,
    /// Advice, if the message has none.
    pub hint: Option<String>,
    /// The source of the option.
    pub source: Option<Source>,
}

impl OptionProblem {
    /// Returns a problem with the submission as a whole.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { option: None, value: None, message: message.into(), hint: None, source: None }
    }

    /// Returns a problem with an option or a setting, which the message names.
    pub(crate) fn with(option: &str, message: impl Into<String>) -> Self {
        Self { option: Some(option.to_owned()), ..Self::new(message) }
    }

    /// Returns a problem with an option, given its wrong value.
    pub(crate) fn with_value(option: &str, value: &str, message: impl Into<String>) -> Self {
        Self { value: Some(value.to_owned()), ..Self::with(option, message) }
    }

    /// Returns the problem that a line of `setup` has a NUL, which no shell accepts.
    pub(crate) fn setup_with_nul() -> Self {
        Self::with("setup", "a line of `setup` cannot hold a NUL")
    }

    /// Returns the problem that the value of the variable `name` has a NUL.
    pub(crate) fn variable_with_nul(name: impl fmt::Display) -> Self {
        Self::with("env", format!("the value of `{name}` cannot hold a NUL"))
    }

    /// Adds advice.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds the source of the option.
    pub(crate) fn set_in(self, source: Option<Source>) -> Self {
        Self { source, ..self }
    }
}

impl fmt::Display for OptionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl From<InvalidValue> for OptionProblem {
    fn from(error: InvalidValue) -> Self {
        let message = match error.option() {
            Some(key) => format!("`{key}`: {}", error.message()),
            None => error.message(),
        };
        Self {
            option: error.option().map(str::to_owned),
            value: Some(error.value().to_owned()),
            message,
            hint: error.hint(),
            source: None,
        }
    }
}

impl From<UnknownOption> for OptionProblem {
    fn from(error: UnknownOption) -> Self {
        Self { hint: error.hint(), ..Self::with(error.name(), error.message()) }
    }
}

impl From<OptionError> for OptionProblem {
    fn from(error: OptionError) -> Self {
        match error {
            OptionError::Unknown(error) => error.into(),
            OptionError::Invalid(error) => error.into(),
        }
    }
}

impl From<Conflict> for OptionProblem {
    fn from(conflict: Conflict) -> Self {
        Self::with(conflict.second, conflict.message).hint(conflict.hint)
    }
}

impl From<OptionProblem> for Error {
    fn from(problem: OptionProblem) -> Self {
        vec![problem].into()
    }
}

impl From<Vec<OptionProblem>> for Error {
    fn from(problems: Vec<OptionProblem>) -> Self {
        Self::Options { problems }
    }
}

impl From<InvalidValue> for Error {
    fn from(error: InvalidValue) -> Self {
        OptionProblem::from(error).into()
    }
}

impl From<OptionError> for Error {
    fn from(error: OptionError) -> Self {
        OptionProblem::from(error).into()
    }
}

/// Returns the problems, one per line.
pub(super) fn lines(problems: &[OptionProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
