//! The last known status of a job that has not ended.

use std::fmt;
use std::time::Duration;

use slurm_host::Printable;

use crate::model::{Span, Status};

/// The last known status of a job that has not ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastKnown {
    /// The last status that a source reported: state, reason, nodes.
    pub status: Option<Status>,
    /// The time since that report.
    pub seen: Option<Duration>,
    /// Why the status may be out of date: the queue does not answer or does not list the job. The text names
    /// each source and its answer.
    pub doubt: Option<String>,
}

impl LastKnown {
    /// Returns advice on the reason for which the job is pending, if there is any.
    pub(super) fn advice(&self) -> Option<&'static str> {
        let status = self.status.as_ref().filter(|status| status.state.is_pending());
        status?.reason.as_ref()?.advice().filter(|_| self.doubt.is_none())
    }
}

impl fmt::Display for LastKnown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.status, &self.doubt) {
            (None, None) => f.write_str("no source has reported on it yet"),
            (None, Some(doubt)) => Printable(doubt).fmt(f),
            (Some(status), None) => write!(f, "it is {status}"),
            (Some(status), Some(doubt)) => {
                let ago = Span(self.seen.unwrap_or_default());
                write!(f, "{}; {ago} ago it was {status}", Printable(doubt))
            }
        }
    }
}
