//! Names of environment variables.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

#[cfg(feature = "runtime")]
use serde::{Deserialize, Serialize};

use crate::text_form::text_form;

/// The name of an environment variable that every shell can export: letters, digits and `_`, no digit first.
///
/// ```
/// use slurm_core::variable::VariableName;
///
/// assert_eq!("OMP_NUM_THREADS".parse::<VariableName>()?.as_str(), "OMP_NUM_THREADS");
/// assert!("A=1; rm -rf ~ #".parse::<VariableName>().is_err());
/// # Ok::<(), slurm_core::variable::VariableNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "runtime", derive(Serialize, Deserialize))]
#[cfg_attr(feature = "runtime", serde(try_from = "String", into = "String"))]
pub struct VariableName(String);

/// A text that cannot be a variable's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableNameError {
    found: String,
}

impl fmt::Display for VariableNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.escape_debug();
        write!(f, "`{found}` cannot be a variable's name: letters, digits and `_`, no digit first")
    }
}

impl std::error::Error for VariableNameError {}

impl VariableName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VariableName {
    type Err = VariableNameError;

    fn from_str(text: &str) -> Result<Self, VariableNameError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let starts = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        if starts && text.bytes().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(VariableNameError { found: text.to_owned() })
        }
    }
}

text_form!(VariableName, VariableNameError);

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Borrow<str> for VariableName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Deref for VariableName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_shell_exports_is_a_name() {
        for name in ["A", "_", "a_1", "PATH"] {
            assert_eq!(
                name.parse::<VariableName>().map(|name| name.to_string()),
                Ok(name.to_owned())
            );
        }
        for wrong in
            ["", "1A", "A B", "A=B", "A;B", "$(id)", "A\n", "A\0", "Ä", "A-B", "BASH_FUNC_x%%"]
        {
            assert!(wrong.parse::<VariableName>().is_err(), "{wrong:?}");
            assert!(serde_json::from_value::<VariableName>(wrong.into()).is_err(), "{wrong:?}");
        }
    }
}
