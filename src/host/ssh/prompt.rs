//! Asking the user.

use std::fmt;

use zeroize::Zeroizing;

/// Who answers when a passphrase, a password or a one-time code is asked for.
///
/// Functions from a [`Prompt`] to the answer are prompters.
pub trait Prompter: Send + Sync {
    /// Returns the answer, or `None` if there is nobody to give one.
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

/// Asks, and keeps the answer in memory that is wiped.
pub(super) fn ask(
    prompter: &dyn Prompter,
    kind: PromptKind,
    text: &str,
    instruction: &str,
    echo: bool,
) -> Option<Zeroizing<String>> {
    let text = printable(text);
    let instruction = printable(instruction);
    let prompt = Prompt { kind, text: &text, instruction: instruction.trim_end(), echo };
    prompter.ask(&prompt).map(Zeroizing::new)
}

/// What a server sends must not play with the terminal.
pub(super) fn printable(text: &str) -> String {
    let keep = |c: char| if c.is_control() && c != '\n' && c != '\t' { '\u{fffd}' } else { c };
    text.replace("\r\n", "\n").chars().map(keep).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_of_a_server_do_not_reach_the_terminal() {
        assert_eq!(printable("a\r\nb\x1b[2J\u{9b}1m\x07"), "a\nb\u{fffd}[2J\u{fffd}1m\u{fffd}");
    }
}
