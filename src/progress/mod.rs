//! Progress output of waits.
//!
//! | file | holds |
//! |---|---|
//! | `view` | the texts |
//! | `reporter` | when and how a wait shows them |
//! | `stage` | which of several waits may use the terminal |
//! | `bar`, `no_bar` | bars on a terminal; what stands for them without the feature `progress` |
//! | `interrupt` | output on Ctrl-C |

#[cfg(feature = "progress")]
mod bar;
#[cfg(not(feature = "progress"))]
#[path = "no_bar.rs"]
mod bar;
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

/// How a wait of more than a few seconds reports its progress on standard error. It shows the submission and
/// its place, why a job is pending and how to resolve that, the nodes, the progress of an array, and sources
/// that do not answer.
///
/// The library itself prints nothing. A program that opens its cluster through
/// [`ClusterArgs`](crate::ClusterArgs) or `#[slurm::main]` has the option `--progress`, whose default is the
/// variable `SLURM_SDK_PROGRESS`, or `auto` without it. [`Cluster::from_env`](crate::Cluster::from_env) reads
/// the variable too, and prints nothing without it. In the job of a workflow the mode is `log`, unless the
/// variable is set there.
///
/// Bars need the feature `progress`, which is on by default. Without it, `Auto` and `Bar` are [`Plain`](Self::Plain).
///
/// If several threads wait, the first one that has waited long enough reports, and shows the number of the
/// others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProgressMode {
    /// A bar on a terminal, lines elsewhere.
    Auto,
    /// A bar that is redrawn.
    Bar,
    /// Lines: the first after three seconds, then after every change and at growing intervals of up to five
    /// minutes, and at the end.
    Plain,
    /// Lines for a log: the first after a minute, then at growing intervals of up to an hour.
    Log,
    /// Nothing.
    #[default]
    Off,
}

impl ProgressMode {
    /// Returns what shows how far uploads are, if they are shown.
    #[cfg(feature = "ssh")]
    pub(crate) fn meter(self) -> Option<slurm_host::NewMeter> {
        bar::METER.filter(|_| self.resolved() == Self::Bar)
    }

    /// Returns the mode to use on this standard error.
    fn resolved(self) -> Self {
        match self {
            Self::Auto | Self::Bar if !cfg!(feature = "progress") => Self::Plain,
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

/// Returns the name of a task without its path.
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
