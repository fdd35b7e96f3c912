//! What is known of a job that goes on.

use std::fmt;
use std::time::Duration;

use slurm_core::state::JobState;

use crate::printable::Printable;

/// What is known of a job that has not ended, as far as its sources tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastKnown {
    /// The state that was seen last.
    pub state: Option<JobState>,
    /// Why it waits, in Slurm's word.
    pub reason: Option<String>,
    /// The node or nodes that it runs on.
    pub node: Option<String>,
    /// How long ago it was seen.
    pub seen: Option<Duration>,
    /// Why the state may not hold any more: the queue does not answer or does not list the job. It says what
    /// each source said.
    pub doubt: Option<String>,
}

impl fmt::Display for LastKnown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(state) = &self.state else {
            return match &self.doubt {
                Some(doubt) => Printable(doubt).fmt(f),
                None => f.write_str("nothing has been heard of it yet"),
            };
        };
        match &self.doubt {
            Some(doubt) => {
                let ago = self.seen.unwrap_or_default().as_secs();
                write!(f, "{}; {ago} s ago it was {state}", Printable(doubt))?;
            }
            None if state.is_pending() => write!(f, "it has not started: {state}")?,
            None => write!(f, "it is {state}")?,
        }
        if let Some(reason) = self.reason.as_ref().filter(|_| state.is_pending()) {
            write!(f, " ({})", Printable(reason))?;
        }
        match &self.node {
            Some(node) => write!(f, " on {}", Printable(node)),
            None => Ok(()),
        }
    }
}
