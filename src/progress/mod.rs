//! Progress output of waits.
//!
//! | file | holds |
//! |---|---|
//! | `view` | what there is to tell |
//! | `reporter` | when it is told, and how |
//! | `stage` | which of several waits has the terminal |
//! | `interrupt` | output on Ctrl-C |

pub(crate) mod interrupt;
mod reporter;
mod stage;
mod view;

use std::io::IsTerminal;
use std::time::Instant;

use slurm_core::word_enum;

use crate::error::Error;

pub(crate) use reporter::{Reporter, Tale};
pub(crate) use stage::interrupted;
pub(crate) use view::{About, View};

/// How a wait that lasts longer than a few seconds reports its progress on standard error: the submission and its
/// place, why a job is pending and how to resolve that, the nodes, the progress of an array, and the sources that do
/// not answer.
///
/// The library itself is silent. A program that opens its cluster through
/// [`ClusterArgs`](crate::ClusterArgs) or `#[slurm::main]` has `--progress`, which is `auto`
/// unless the variable `SLURM_SDK_PROGRESS` is set; [`Cluster::from_env`](crate::Cluster::from_env) reads the variable
/// too, and is silent without it. In the job of a workflow the mode is `log`, unless the variable is set there.
///
/// If several threads wait, the first to wait long enough reports, and gives the number of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProgressMode {
    /// A bar on a terminal, lines elsewhere.
    Auto,
    /// A bar that is redrawn.
    Bar,
    /// Lines: the first after three seconds, then at growing intervals of up to five minutes, when something
    /// changes, and at the end.
    Plain,
    /// Lines for a log: the first after a minute, then at growing intervals of up to an hour.
    Log,
    /// Nothing.
    #[default]
    Off,
}

impl ProgressMode {
    /// Returns whether long operations are shown as a bar.
    #[cfg(feature = "ssh")]
    pub(crate) fn is_a_bar(self) -> bool {
        self.resolved() == Self::Bar
    }

    /// Returns the mode to use on this standard error.
    fn resolved(self) -> Self {
        match self {
            Self::Auto if std::io::stderr().is_terminal() => Self::Bar,
            Self::Auto => Self::Plain,
            mode => mode,
        }
    }

    /// Returns the mode that `SLURM_SDK_PROGRESS` names, if it is set.
    pub(crate) fn of_variable() -> Result<Option<Self>, Error> {
        let Ok(name) = std::env::var("SLURM_SDK_PROGRESS") else { return Ok(None) };
        name.parse().map(Some).map_err(|_| Error::Config {
            message: format!("unknown progress mode `{name}` in SLURM_SDK_PROGRESS"),
            hint: "set it to `auto`, `bar`, `plain`, `log` or `off`, or unset it".to_owned(),
        })
    }
}

word_enum!(ProgressMode, "progress mode", {
    Auto: "auto",
    Bar: "bar",
    Plain: "plain",
    Log: "log",
    Off: "off",
});

/// Returns the earlier of two moments, if there is one.
pub(crate) fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// Returns the name of a task as a person calls it.
pub(crate) fn short_name(task: &str) -> String {
    task.rsplit("::").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_by_its_name() {
        for mode in ProgressMode::ALL {
            assert_eq!(mode.to_string().parse::<ProgressMode>().unwrap(), *mode);
        }
        let error = "none".parse::<ProgressMode>().unwrap_err();
        let expected = "unknown progress mode `none`: expected auto, bar, plain, log or off";
        assert_eq!(error.to_string(), expected);
        let hint = "choose `auto`, `bar`, `plain`, `log` or `off`";
        assert_eq!(Error::from(error).hint().as_deref(), Some(hint));
    }
}
