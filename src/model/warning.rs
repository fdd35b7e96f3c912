//! Warnings about submitted jobs.

use std::fmt;

use slurm_host::Printable;

use super::{Reason, Status};

/// A warning about a submitted job or array.
///
/// `Display` is one sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// The cluster will not follow all options; see [`Explanation::warnings`](crate::Explanation).
    Options(String),
    /// sbatch accepted the job and printed this.
    Sbatch(String),
    /// The job can never start unless the job or the cluster is changed.
    ///
    /// Slurm accepts such jobs, because it checks the limits of partitions and QOS later.
    Blocked(Reason),
}

impl Warning {
    /// Returns the warnings of a submission, and the warnings about jobs or elements with these statuses.
    pub(crate) fn all(
        explained: &[String],
        said: &[String],
        statuses: &[(Status, usize)],
    ) -> Vec<Self> {
        let blocked = statuses.iter().filter_map(|(status, _)| status.blocked());
        let explained = explained.iter().cloned().map(Self::Options);
        let said = said.iter().cloned().map(Self::Sbatch);
        let mut all: Vec<Self> = explained.chain(said).collect();
        for reason in blocked {
            let warning = Self::Blocked(reason.clone());
            if !all.contains(&warning) {
                all.push(warning);
            }
        }
        all
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(text) => write!(f, "{}", Printable(text)),
            Self::Sbatch(text) => write!(f, "sbatch: {}", Printable(text)),
            Self::Blocked(reason) => {
                write!(f, "it can never start as it is: {reason}")?;
                reason.advice().map_or(Ok(()), |advice| write!(f, "; {advice}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_says_what_to_do() {
        let blocked = Warning::Blocked(Reason::new("JobHeldUser")).to_string();
        assert!(blocked.contains("JobHeldUser: ") && blocked.contains("scontrol release"));
        let said = Warning::Sbatch("can't run 2 processes\u{7}".to_owned()).to_string();
        assert_eq!(said, "sbatch: can't run 2 processes\\u{7}");
    }
}
