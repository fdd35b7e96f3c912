//! Asking the user.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::deadline::within;

/// Who answers when a passphrase, a password or a one-time code is asked for.
///
/// Functions from a [`Prompt`] to the answer are prompters.
pub trait Prompter: Send + Sync {
    /// Returns the answer, or `None` if there is nobody to give one.
    ///
    /// It is called on a thread of its own, and given up when the [limit](Prompt::limit) is over: who reads
    /// from a person should stop then.
    fn ask(&self, prompt: &Prompt<'_>) -> Option<String>;

    /// Returns whether there may be somebody to ask. Programs that ask on their own, as the `ssh` of a
    /// jump host does, are told not to if there is nobody.
    fn is_somebody(&self) -> bool {
        true
    }
}

impl<F: Fn(&Prompt<'_>) -> Option<String> + Send + Sync> Prompter for F {
    fn ask(&self, prompt: &Prompt<'_>) -> Option<String> {
        self(prompt)
    }
}

/// One question.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Prompt<'a> {
    /// What is asked for.
    pub kind: PromptKind,
    /// The question itself, fit to be shown: it ends as it should and has no control characters.
    pub text: &'a str,
    /// What the server wants to be known before, often nothing.
    pub instruction: &'a str,
    /// Whether what is typed may be seen.
    pub echo: bool,
    /// How long the answer is waited for.
    pub limit: Duration,
}

/// What a [`Prompt`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromptKind {
    /// The passphrase of a key file.
    Passphrase,
    /// The user's password.
    Password,
    /// Whatever the server asks: a password, a one-time code.
    KeyboardInteractive,
}

/// Nobody.
#[derive(Debug)]
pub(super) struct Nobody;

impl Prompter for Nobody {
    fn ask(&self, _: &Prompt<'_>) -> Option<String> {
        None
    }

    fn is_somebody(&self) -> bool {
        false
    }
}

impl fmt::Debug for dyn Prompter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prompter")
    }
}

/// The result of a question.
#[derive(Debug)]
pub(super) enum Reply {
    /// The answer, in memory that is wiped.
    Answer(Zeroizing<String>),
    /// There is no way to ask.
    Nobody,
    /// There was no answer within the limit.
    Late,
}

/// A question, before it is put.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'a> {
    pub(super) kind: PromptKind,
    pub(super) text: &'a str,
    pub(super) instruction: &'a str,
    pub(super) echo: bool,
}

/// A prompter that keeps to the limit has that much time to tidy up.
const GRACE: Duration = Duration::from_secs(2);

/// Asks, and waits for the answer no longer than `limit`: whoever called may not even know that a connection
/// was lost and made again, and must not wait for a person who is away.
pub(super) fn ask(prompter: &Arc<dyn Prompter>, question: Question<'_>, limit: Duration) -> Reply {
    let Question { kind, echo, .. } = question;
    let text = printable(question.text);
    let instruction = printable(question.instruction).trim_end().to_owned();
    let prompter = Arc::clone(prompter);
    let began = Instant::now();
    let answer = within(limit.saturating_add(GRACE), move || {
        let prompt = Prompt { kind, text: &text, instruction: &instruction, echo, limit };
        prompter.ask(&prompt).map(Zeroizing::new)
    });
    match answer.flatten() {
        Some(answer) => Reply::Answer(answer),
        None if began.elapsed() >= limit => Reply::Late,
        None => Reply::Nobody,
    }
}

/// What a server sends must not play with the terminal.
pub(super) fn printable(text: &str) -> String {
    let keep = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.replace("\r\n", "\n").chars().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(prompter: impl Prompter + 'static, limit: Duration) -> Reply {
        let question =
            Question { kind: PromptKind::Password, text: "?", instruction: "", echo: false };
        ask(&(Arc::new(prompter) as Arc<dyn Prompter>), question, limit)
    }

    #[test]
    fn a_question_that_nobody_answers_is_given_up() {
        let (alive, waits) = std::sync::mpsc::channel::<()>();
        let waits = std::sync::Mutex::new(waits);
        let absent = move |_: &Prompt<'_>| {
            let _ = waits.lock().map(|waits| waits.recv());
            None
        };
        assert!(matches!(asked(absent, Duration::from_millis(50)), Reply::Late));
        drop(alive);
        let nobody = |_: &Prompt<'_>| None;
        assert!(matches!(asked(nobody, Duration::from_secs(60)), Reply::Nobody));
        let somebody = |prompt: &Prompt<'_>| Some(prompt.text.to_owned());
        assert!(matches!(asked(somebody, Duration::from_secs(60)), Reply::Answer(_)));
    }

    #[test]
    fn escape_sequences_of_a_server_do_not_reach_the_terminal() {
        assert_eq!(printable("a\r\nb\x1b[2J\u{9b}1m\x07"), "a\nb\u{fffd}[2J\u{fffd}1m\u{fffd}");
    }
}
