//! Finding an option by its name.

use std::fmt;

use super::OPTIONS;
use super::unsettable;
use crate::options::distance::distance;
use crate::options::spec::OptionSpec;

/// Returns the option with this key, sbatch name or alias; `_` and `-` are the same.
///
/// Abbreviations are refused, though sbatch takes them: what one means changes between releases
/// (`--extra` was `--extra-node-info` before 23.02).
///
/// # Errors
///
/// Returns why the option does not exist, with the name that was probably meant.
///
/// ```
/// use slurm_core::options::lookup;
/// assert_eq!(lookup("cpus_per_task").unwrap().name, "cpus-per-task");
/// assert_eq!(lookup("tasks-per-node").unwrap().name, "ntasks-per-node");
/// assert_eq!(
///     lookup("tiem").unwrap_err().to_string(),
///     "unknown option `tiem`; did you mean `time`?"
/// );
/// ```
pub fn lookup(name: &str) -> Result<&'static OptionSpec, UnknownOption> {
    find(name).ok_or_else(|| UnknownOption::new(name))
}

/// Returns the option with this key, sbatch name or alias, in a const context too.
#[must_use]
pub const fn find(name: &str) -> Option<&'static OptionSpec> {
    let mut index = 0;
    while index < OPTIONS.len() {
        let option = &OPTIONS[index];
        if is_same(name, option.name) {
            return Some(option);
        }
        let mut alias = 0;
        while alias < option.aliases.len() {
            if is_same(name, option.aliases[alias]) {
                return Some(option);
            }
            alias += 1;
        }
        index += 1;
    }
    None
}

/// Whether two names are the same but for `_` and `-`.
const fn is_same(left: &str, right: &str) -> bool {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        let letter = if left[index] == b'_' { b'-' } else { left[index] };
        if letter != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

/// An option that does not exist or cannot be set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownOption {
    name: String,
    reason: Option<&'static str>,
    suggestion: Option<&'static str>,
}

impl UnknownOption {
    fn new(name: &str) -> Self {
        let dashed = name.trim_start_matches('-').replace('_', "-").to_ascii_lowercase();
        let reason = unsettable::reason(&dashed);
        let suggestion = if reason.is_some() {
            None
        } else {
            find(&dashed)
                .or_else(|| unsettable::meant(&dashed).and_then(find))
                .or_else(|| nearest(&dashed))
                .map(|option| option.key)
        };
        Self { name: name.to_owned(), reason, suggestion }
    }

    /// Returns the name that is not an option.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the key of the option that was probably meant.
    #[must_use]
    pub const fn suggestion(&self) -> Option<&'static str> {
        self.suggestion
    }

    /// Returns why the option cannot be set, when sbatch or srun do have it.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// Returns the name and the problem with it, without advice.
    #[must_use]
    pub fn message(&self) -> String {
        match self.reason {
            Some(reason) => format!("option `{}` cannot be set: {reason}", self.name),
            None => format!("unknown option `{}`", self.name),
        }
    }

    /// Returns the advice: the option that was probably meant, or how options are named.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match (self.reason, self.suggestion) {
            (Some(_), _) => None,
            (None, Some(key)) => Some(format!("did you mean `{key}`?")),
            (None, None) => {
                Some("options are named as in `sbatch --help`, with `_` for `-`".to_owned())
            }
        }
    }
}

/// The option with the nearest name, or the only one whose name starts with this.
fn nearest(name: &str) -> Option<&'static OptionSpec> {
    if name.is_empty() {
        return None;
    }
    let limit = if name.len() <= 3 { 1 } else { name.len().div_ceil(3).min(3) };
    let names = || {
        OPTIONS.iter().flat_map(|option| {
            std::iter::once(option.name)
                .chain(option.aliases.iter().copied())
                .map(move |known| (known, option))
        })
    };
    let mut starting = names().filter(|(known, _)| known.starts_with(name));
    if let (Some((_, option)), None) = (starting.next(), starting.next()) {
        return Some(option);
    }
    names()
        .map(|(known, option)| (distance(name, known), option))
        .filter(|(changes, _)| *changes <= limit)
        .min_by_key(|(changes, _)| *changes)
        .map(|(_, option)| option)
}

impl fmt::Display for UnknownOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message())?;
        self.hint().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for UnknownOption {}
