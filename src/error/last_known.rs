//! What is known of a job that goes on.

use std::fmt;
use std::time::Duration;

use crate::model::{Span, Status};
use crate::printable::Printable;

/// What is known of a job that has not ended, as far as its sources tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastKnown {
    /// What was seen last: its state, why it waits, where it runs.
    pub status: Option<Status>,
    /// How long ago it was seen.
    pub seen: Option<Duration>,
    /// Why the state may not hold any more: the queue does not answer or does not list the job. It says what
    /// each source said.
    pub doubt: Option<String>,
}

impl LastKnown {
    /// Returns what can be done about what it waits for, if there is something.
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
