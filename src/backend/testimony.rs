//! The answers of the sources about jobs that they did not list.
//!
//! Absence is certain only if every existing source has answered. The answer of a source that failed is open.

use std::fmt;
use std::sync::Arc;

use slurm_core::ids::JobId;

use crate::error::Error;

/// The answer of each source about jobs that none of them lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Testimony(Arc<Vec<Statement>>);

/// The answer of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its name for people: the command.
    pub(crate) source: &'static str,
    pub(crate) said: Said,
}

/// The answer of a source about jobs that it did not list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// It does not know them.
    NotListed,
    /// The cluster does not have this source; the reason.
    NotThere(String),
    /// It could not answer; its error.
    Failed(String),
    /// It has a record without an end, of a job that the queue does not list.
    OpenRecord(String),
}

impl Testimony {
    /// Returns the testimony with the answer of another source.
    pub(crate) fn with(&self, source: &'static str, said: Said) -> Self {
        let mut statements = self.0.as_ref().clone();
        statements.push(Statement { source, said });
        Self(Arc::new(statements))
    }

    /// Returns the error of the first source that could not answer.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.0.iter().find_map(|statement| match &statement.said {
            Said::Failed(words) => Some(words.as_str()),
            _ => None,
        })
    }

    /// Returns the error for a question about the job `id`, which no source lists.
    pub(crate) fn absence_of(&self, id: JobId) -> Error {
        let said = self.to_string();
        match self.is_complete() {
            true => Error::NoSuchJob { wanted: id.to_string(), said },
            false => Error::Unclear { id, said },
        }
    }

    /// Returns whether every source has answered and none has the job.
    pub(crate) fn is_complete(&self) -> bool {
        let denies =
            |statement: &Statement| matches!(statement.said, Said::NotListed | Said::NotThere(_));
        self.0.iter().all(denies)
    }
}

/// For people: `squeue does not list it; sacct failed: …`.
impl fmt::Display for Testimony {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, Statement { source, said }) in self.0.iter().enumerate() {
            if position > 0 {
                f.write_str("; ")?;
            }
            match said {
                Said::NotListed => write!(f, "{source} does not list it")?,
                Said::NotThere(why) => write!(f, "{source} cannot tell: {why}")?,
                Said::Failed(words) => write!(f, "{source} failed: {words}")?,
                Said::OpenRecord(state) => write!(f, "{source} still has it as {state}")?,
            }
        }
        Ok(())
    }
}
