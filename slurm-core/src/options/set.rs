//! A set of options, with where each came from.

use std::collections::BTreeMap;
use std::fmt;

use super::fault::Fault;
use super::input::OptionInput;
use super::invalid::InvalidValue;
use super::release::Release;
use super::spec::OptionSpec;
use super::table::{UnknownOption, lookup};
use super::text::Text;
use super::value::OptionValue;
use super::{directives, exclusions};

/// Where an option was set, in order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The library's own choice.
    Default,
    /// A variable that sbatch takes the option from, such as `SBATCH_PARTITION`.
    Variable,
    /// A Slurmfile.
    Slurmfile,
    /// The program, of all jobs of a cluster.
    Cluster,
    /// The attribute of the task.
    Attribute,
    /// The caller of the task.
    CallSite,
}

/// An ordered set of options, each with its value and where it came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionSet {
    options: BTreeMap<&'static str, Entry>,
    extras: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    spec: &'static OptionSpec,
    value: OptionValue,
    source: Source,
}

impl OptionSet {
    /// Returns a set without options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads an option as a caller wrote it and sets it; replaces a value of any source.
    ///
    /// # Errors
    ///
    /// Returns that the option does not exist, or the problem of its value.
    ///
    /// ```
    /// use slurm_core::options::{OptionSet, Source};
    /// let mut options = OptionSet::new();
    /// options.put("time", 90, Source::CallSite)?;
    /// assert_eq!(options.to_args(), ["--time=01:30:00"]);
    /// let error = options.put("time", "4 h", Source::CallSite).unwrap_err();
    /// assert!(error.to_string().starts_with("`time`: `4 h`: "));
    /// # Ok::<(), slurm_core::options::OptionError>(())
    /// ```
    pub fn put(
        &mut self,
        key: &str,
        input: impl Into<OptionInput>,
        source: Source,
    ) -> Result<(), OptionError> {
        let spec = lookup(key)?;
        self.set(spec, spec.parse_input(input.into())?, source);
        Ok(())
    }

    /// Sets an option; replaces a value of any source.
    pub fn set(&mut self, spec: &'static OptionSpec, value: OptionValue, source: Source) {
        self.options.insert(spec.name, Entry { spec, value, source });
    }

    /// Returns the value of the option with this key or name.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&OptionValue> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Returns where the option with this key or name came from.
    #[must_use]
    pub fn source(&self, key: &str) -> Option<Source> {
        self.entry(key).map(|entry| entry.source)
    }

    fn entry(&self, key: &str) -> Option<&Entry> {
        self.options.get(super::find(key)?.name)
    }

    /// Takes an option out of the set.
    pub fn remove(&mut self, key: &str) -> Option<OptionValue> {
        self.options.remove(super::find(key)?.name).map(|entry| entry.value)
    }

    /// Adds the options of `higher`, which win over those here unless their source is of lower
    /// precedence; raw flags are appended.
    ///
    /// An option also replaces the options of lower sources that it excludes: `mem_per_cpu`
    /// in an attribute replaces `mem` from a Slurmfile, as sbatch itself does between its
    /// environment and its command line.
    pub fn merge(&mut self, higher: &Self) {
        for entry in higher.options.values() {
            let keeps = self
                .options
                .get(entry.spec.name)
                .is_some_and(|present| present.source > entry.source);
            if !keeps {
                self.replace_excluded(entry);
                self.options.insert(entry.spec.name, entry.clone());
            }
        }
        self.extras.extend(higher.extras.iter().cloned());
    }

    /// Adds the options of `over`, which win over any others and replace the options that they exclude. For two
    /// layers of one source, such as two environments of a Slurmfile.
    pub fn overlay(&mut self, over: &Self) {
        for entry in over.options.values() {
            if entry.value != OptionValue::Unset {
                exclusions::partners(entry.spec.key).for_each(|key| {
                    self.remove(key);
                });
            }
            self.options.insert(entry.spec.name, entry.clone());
        }
        self.extras.extend(over.extras.iter().cloned());
    }

    /// Removes the options of lower sources that `entry` excludes.
    fn replace_excluded(&mut self, entry: &Entry) {
        if entry.value == OptionValue::Unset {
            return;
        }
        for key in exclusions::partners(entry.spec.key) {
            let lower = self.source(key).is_some_and(|source| source < entry.source);
            if lower {
                self.remove(key);
            }
        }
    }

    /// Returns the options in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&'static OptionSpec, &OptionValue, Source)> + '_ {
        self.options.values().map(|entry| (entry.spec, &entry.value, entry.source))
    }

    /// Adds a raw flag such as `--flag=value`, for options that the table does not know.
    ///
    /// # Errors
    ///
    /// Refuses a flag that cannot be passed on; see [`check_extra`].
    pub fn extra(&mut self, flag: String) -> Result<(), InvalidValue> {
        check_extra(&flag)?;
        self.extras.push(flag);
        Ok(())
    }

    /// Returns the raw flags in the order added.
    #[must_use]
    pub fn extras(&self) -> &[String] {
        &self.extras
    }

    /// Returns the arguments for sbatch's command line, such as `--time=04:00:00` and
    /// `--exclusive`.
    #[must_use]
    pub fn to_args(&self) -> Vec<String> {
        self.iter()
            .filter_map(|(spec, value, _)| match value {
                OptionValue::Unset => None,
                OptionValue::Flag => Some(format!("--{}", spec.name)),
                OptionValue::Value(value) => Some(format!("--{}={value}", spec.name)),
            })
            .chain(self.extras.iter().cloned())
            .collect()
    }

    /// Returns the arguments as `#SBATCH` lines, quoted so that sbatch reads exactly the arguments of
    /// [`to_args`](Self::to_args).
    #[must_use]
    pub fn to_directives(&self) -> Vec<String> {
        self.to_args().iter().map(|argument| directives::line(argument)).collect()
    }

    /// Returns the options that Slurm `release` does not have yet, or not with their value.
    #[must_use]
    pub fn newer_than(&self, release: Release) -> Vec<&'static OptionSpec> {
        self.iter()
            .filter(|(spec, value, _)| spec.since_with(value) > release)
            .map(|(spec, _, _)| spec)
            .collect()
    }

    /// Returns the options that Slurm `release` no longer has, or no longer with their value.
    #[must_use]
    pub fn older_than(&self, release: Release) -> Vec<&'static OptionSpec> {
        self.iter()
            .filter(|(spec, value, _)| spec.until_with(value).is_some_and(|until| until <= release))
            .map(|(spec, _, _)| spec)
            .collect()
    }
}

/// Checks a raw flag: an empty one, a NUL byte and a line break are refused, nothing else.
///
/// # Errors
///
/// Returns the character that cannot be passed on to sbatch or written into a script.
pub fn check_extra(flag: &str) -> Result<(), InvalidValue> {
    let fault = match Text::new(flag).find_any(b"\0\n") {
        Some(index) => {
            Fault::at(index, index + 1, "a raw flag can hold neither a NUL byte nor a line break")
        }
        None if flag.is_empty() => Fault::at(0, 0, "an empty raw flag means nothing"),
        None => return Ok(()),
    };
    Err(InvalidValue::of_extra(flag, fault))
}

/// An option that cannot be set: it does not exist, or does not take the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// The option does not exist.
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
