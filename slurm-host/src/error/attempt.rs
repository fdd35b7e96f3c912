//! What was tried, for the error when nothing helped.

use std::fmt;

/// One thing that was tried to log in, and why it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attempt {
    /// What was tried, as in `publickey (/home/me/.ssh/id_ed25519)`.
    pub what: String,
    /// Why it failed.
    pub why: String,
}

/// When a question had no answer.
pub(crate) const NO_ANSWER: &str = "there is nobody to ask";

/// When a question had no answer in time.
pub(crate) const TOO_LATE: &str = "the question was not answered within";

/// When the server ended the conversation.
pub(crate) const BROKE_OFF: &str = "broke off, perhaps after too many attempts";

impl Attempt {
    pub(crate) fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }

    /// Returns whether somebody to answer questions might have helped.
    pub(crate) fn is_for_want_of_answers(&self) -> bool {
        self.why.contains(NO_ANSWER)
    }

    /// Returns whether a person was asked who did not answer in time.
    pub(crate) fn is_unanswered(&self) -> bool {
        self.why.contains(TOO_LATE)
    }

    /// Returns whether fewer attempts might have helped.
    pub(crate) fn is_for_too_many(&self) -> bool {
        self.why.contains(BROKE_OFF)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
