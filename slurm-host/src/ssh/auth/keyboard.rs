//! keyboard-interactive: the server asks whatever it likes, a password, a one-time code, several things.

use std::time::Instant;

use ssh2::{ErrorCode, KeyboardInteractivePrompt};
use zeroize::Zeroizing;

use super::super::connect::lost;
use super::super::prompt::{PromptKind, Question};
use super::order::{Login, Outcome, is_fatal};
use super::questions::Questions;
use crate::error::SshError;

const EAGAIN: i32 = -37;

/// How often it was tried.
#[derive(Default)]
pub(super) struct Keyboard {
    rounds: u32,
    stored_used: bool,
}

impl Keyboard {
    /// Lets the server ask.
    pub(super) fn attempt(&mut self, login: &mut Login<'_>) -> Result<Outcome, SshError> {
        if self.rounds >= login.target.password_prompts {
            return Ok(Outcome::Exhausted);
        }
        let what = "keyboard-interactive";
        let stored = login.settings.password.get().filter(|_| !self.stored_used);
        // To begin is to make the server ask, which may send somebody a code or a push, and counts as a failure if
        // it comes to nothing.
        if stored.is_none() && !login.questions.may_be_answered() {
            if self.rounds == 0 {
                login.failed(what, login.questions.silence());
            }
            return Ok(Outcome::Exhausted);
        }
        self.rounds += 1;
        let mut asker = Asker {
            who: login.who(),
            questions: login.questions.clone(),
            stored,
            stored_used: false,
            asked: 0,
            unanswered: false,
            last: Instant::now(),
        };
        let result = converse(login, &mut asker);
        self.stored_used |= asker.stored_used;
        login.questions = asker.questions;
        match result? {
            Ok(()) => Ok(Outcome::Done(what.to_owned())),
            Err(error) if is_fatal(&error) => Err(lost(login.target, &error)),
            // Once is enough if nobody answers, and if nothing was asked.
            Err(_) if asker.unanswered => {
                login.failed(what, login.questions.silence());
                Ok(Outcome::Exhausted)
            }
            Err(error) if asker.asked == 0 => {
                login.failed(what, error.message().to_owned());
                Ok(Outcome::Exhausted)
            }
            Err(_) => {
                login.failed(what, "the server did not accept the answers");
                Ok(Outcome::Perhaps)
            }
        }
    }
}

/// Without blocking, because libssh2 would count the time in which a person types, and because the
/// session must be left alone meanwhile.
fn converse(login: &Login<'_>, asker: &mut Asker) -> Result<Result<(), ssh2::Error>, SshError> {
    let session = login.session;
    let limit = login.target.connect_timeout;
    session.set_blocking(false);
    let result = loop {
        let result = session.userauth_keyboard_interactive(&login.target.user, asker);
        match &result {
            Err(error) if error.code() == ErrorCode::Session(EAGAIN) => {
                let left = (asker.last + limit).saturating_duration_since(Instant::now());
                if !login.stream.wait(session, left).unwrap_or(false) {
                    return Err(SshError::Timeout {
                        host: login.target.name(),
                        step: "keyboard-interactive",
                        limit,
                    });
                }
            }
            _ => break result,
        }
    };
    session.set_blocking(true);
    Ok(result)
}

/// Answers what the server asks.
struct Asker {
    who: String,
    questions: Questions,
    stored: Option<Zeroizing<String>>,
    stored_used: bool,
    asked: usize,
    unanswered: bool,
    /// When the last answer was given.
    last: Instant,
}

impl KeyboardInteractivePrompt for Asker {
    fn prompt<'a>(
        &mut self,
        _: &str,
        instructions: &str,
        prompts: &[ssh2::Prompt<'a>],
    ) -> Vec<String> {
        self.asked += prompts.len();
        // What servers with nothing but passwords ask. A one-time code is another question.
        let is_password = matches!(
            prompts,
            [only] if !only.echo && only.text.to_lowercase().contains("password")
        );
        if is_password && let Some(stored) = self.stored.take() {
            self.stored_used = true;
            self.last = Instant::now();
            return vec![stored.to_string()];
        }
        let mut answers = Vec::new();
        for (index, prompt) in prompts.iter().enumerate() {
            let text = format!("({}) {}", self.who, prompt.text);
            let instruction = if index == 0 { instructions } else { "" };
            let question = Question {
                kind: PromptKind::KeyboardInteractive,
                text: &text,
                instruction,
                echo: prompt.echo,
            };
            let answer = if self.unanswered { None } else { self.questions.ask(question) };
            self.unanswered |= answer.is_none();
            answers.push(answer.map(|answer| answer.to_string()).unwrap_or_default());
        }
        self.last = Instant::now();
        answers
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::prompt::{Prompt, Prompter};
    use super::*;

    fn asker(prompter: impl Prompter + 'static) -> Asker {
        Asker {
            who: "me@host".to_owned(),
            questions: Questions::of(prompter),
            stored: Some(Zeroizing::new("stored".to_owned())),
            stored_used: false,
            asked: 0,
            unanswered: false,
            last: Instant::now(),
        }
    }

    fn question(text: &'static str, echo: bool) -> ssh2::Prompt<'static> {
        ssh2::Prompt { text: text.into(), echo }
    }

    #[test]
    fn questions_that_come_together_are_all_asked() {
        let mut asker = asker(|prompt: &Prompt<'_>| {
            Some(format!("{}/{}/{}", prompt.instruction, prompt.text, prompt.echo))
        });
        let questions = [question("Password: ", false), question("Code: ", true)];
        let answers = asker.prompt("", "Two things.\n", &questions);
        assert_eq!(answers, ["Two things./(me@host) Password: /false", "/(me@host) Code: /true"]);
        assert!(!asker.stored_used);
    }

    #[test]
    fn after_a_question_without_an_answer_no_other_is_asked() {
        let mut asker = asker(|_: &Prompt<'_>| None);
        let questions = [question("Code: ", false), question("PIN: ", false)];
        assert_eq!(asker.prompt("", "", &questions), ["", ""]);
        assert!(asker.unanswered);
    }
}
