//! Sources that do not answer.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use slurm_host::Printable;

use crate::error::Error;
use crate::model::Span;

/// A source that does not answer, since when, and its error.
#[derive(Clone, Debug)]
pub(crate) struct Silence {
    source: &'static str,
    since: Instant,
    pub(crate) words: String,
}

/// The sources that may fail to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Queue,
    Accounting,
    Files,
}

impl Source {
    const fn name(self) -> &'static str {
        match self {
            Self::Queue => "the queue",
            Self::Accounting => "the accounting",
            Self::Files => "the machine that has the job's files",
        }
    }
}

impl Silence {
    /// Returns the source and how long it has not answered.
    pub(crate) fn without_words(&self) -> String {
        format!("{} has not answered for {}", self.source, Span(self.since.elapsed()))
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.without_words(), Printable(&self.words))
    }
}

/// All sources that do not answer.
#[derive(Debug, Default)]
pub(super) struct Silences(Mutex<Vec<Silence>>);

impl Silences {
    fn lock(&self) -> MutexGuard<'_, Vec<Silence>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that a source has answered, or the error if it has not.
    pub(super) fn note(&self, source: Source, error: Option<String>) {
        let mut all = self.lock();
        let source = source.name();
        match (error, all.iter_mut().find(|silence| silence.source == source)) {
            (Some(words), Some(known)) => known.words = words,
            (Some(words), None) => all.push(Silence { source, since: Instant::now(), words }),
            (None, Some(_)) => all.retain(|silence| silence.source != source),
            (None, None) => {}
        }
    }

    pub(super) fn get(&self) -> Vec<Silence> {
        self.lock().clone()
    }
}

/// Returns the text of an error for a terminal, without the arguments of a command.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::Command { command, message } => {
            let program = command.split_whitespace().next().unwrap_or_default();
            let last = message.lines().map(str::trim).rfind(|line| !line.is_empty());
            format!("{program}: {}", last.unwrap_or("it failed without a message"))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_lasts_until_the_source_answers() {
        let silences = Silences::default();
        let error = Error::Command {
            command: "squeue --me -h".to_owned(),
            message: "slurm_load_jobs error: Unable to contact slurm controller\n".to_owned(),
        };
        silences.note(Source::Queue, Some(words(&error)));
        let since = silences.get()[0].since;
        silences.note(Source::Queue, Some("another".to_owned()));
        silences.note(Source::Accounting, None);
        assert_eq!(silences.get().len(), 1);
        assert_eq!((silences.get()[0].since, &*silences.get()[0].words), (since, "another"));
        silences.note(Source::Queue, None);
        assert!(silences.get().is_empty());
        assert_eq!(
            words(&error),
            "squeue: slurm_load_jobs error: Unable to contact slurm controller"
        );
    }
}
