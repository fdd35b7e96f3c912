//! What may not stand beside what.

use std::fmt;

use super::set::OptionSet;

/// Two options that sbatch refuses together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The key of the option that comes first in the rule.
    pub first: &'static str,
    /// The key of the option that does not fit beside it.
    pub second: &'static str,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.hint)
    }
}

impl OptionSet {
    /// Returns the pairs of options that sbatch would refuse together.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        let given = |key| {
            self.get(key)
                .is_some_and(|value| *value != super::OptionValue::Unset)
        };
        let mut found = Vec::new();
        for (first, second) in [
            ("mem", "mem_per_cpu"),
            ("mem", "mem_per_gpu"),
            ("mem_per_cpu", "mem_per_gpu"),
        ] {
            if given(first) && given(second) {
                found.push(Conflict {
                    first,
                    second,
                    message: format!("`{first}` and `{second}` exclude each other"),
                    hint: "keep one of `mem`, `mem_per_cpu` and `mem_per_gpu`".to_owned(),
                });
            }
        }
        found
    }
}
