//! The mistakes in a Slurmfile.

use std::fmt;

/// Everything that is wrong with a Slurmfile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SlurmfileError {
    /// The file's name.
    pub file: String,
    /// What is wrong, in the order of the lines; never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong with a Slurmfile.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl fmt::Display for SlurmfileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { line, column, message }) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{}:{line}:{column}: {message}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for SlurmfileError {}
