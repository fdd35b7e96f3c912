//! Questions to a person during one login.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::super::config::Target;
use super::super::prompt::{Prompter, Question, Reply, ask};
use super::super::settings::Ssh;
use crate::error::{NO_ANSWER, TOO_LATE};

/// The prompter, the time limit of a question, and whether one was left without an answer.
#[derive(Clone, Debug)]
pub(super) struct Questions {
    prompter: Arc<dyn Prompter>,
    asks: bool,
    limit: Duration,
    /// Whether a person left a question unanswered: the next one would only be waited for as long.
    late: bool,
}

impl Questions {
    pub(super) fn new(target: &Target, settings: &Ssh) -> Self {
        let prompter = Arc::clone(&settings.prompter);
        Self { prompter, asks: target.asks, limit: settings.prompt_timeout, late: false }
    }

    #[cfg(test)]
    pub(super) fn of(prompter: impl Prompter + 'static) -> Self {
        let limit = Duration::from_secs(60);
        Self { prompter: Arc::new(prompter), asks: true, limit, late: false }
    }

    /// Returns whether a question can have an answer.
    pub(super) fn may_be_answered(&self) -> bool {
        self.asks && !self.late
    }

    /// Returns the answer, if there is one.
    pub(super) fn ask(&mut self, question: Question<'_>) -> Option<Zeroizing<String>> {
        if !self.may_be_answered() {
            return None;
        }
        match ask(&self.prompter, question, self.limit) {
            Reply::Answer(answer) => Some(answer),
            Reply::Nobody => None,
            Reply::Late => {
                self.late = true;
                None
            }
        }
    }

    /// Returns whether a question was not answered in time.
    pub(super) fn is_late(&self) -> bool {
        self.late
    }

    /// Returns why there was no answer.
    pub(super) fn silence(&self) -> String {
        if self.late {
            format!("{TOO_LATE} {} s", self.limit.as_secs_f64())
        } else {
            NO_ANSWER.to_owned()
        }
    }
}
