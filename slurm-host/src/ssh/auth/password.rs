//! Passwords.

use super::super::connect::lost;
use super::super::prompt::{PromptKind, Question};
use super::order::{Login, Outcome, is_fatal};
use crate::error::SshError;

/// How often a password was asked for.
#[derive(Default)]
pub(super) struct Passwords {
    asked: u32,
    stored_used: bool,
}

impl Passwords {
    /// Tries the password of the settings, and then what the user types.
    pub(super) fn attempt(&mut self, login: &mut Login<'_>) -> Result<Outcome, SshError> {
        let stored = login.settings.password.get().filter(|_| !self.stored_used);
        let what = if stored.is_some() { "password (as set)" } else { "password (as typed)" };
        let password = match stored {
            Some(stored) => {
                self.stored_used = true;
                stored
            }
            None if self.asked < login.target.password_prompts => {
                self.asked += 1;
                let question = format!("{}'s password: ", login.who());
                let answer = login.questions.ask(Question {
                    kind: PromptKind::Password,
                    text: &question,
                    instruction: "",
                    echo: false,
                });
                match answer {
                    Some(answer) => answer,
                    None => {
                        if !self.stored_used {
                            login.failed("password", login.questions.silence());
                        }
                        return Ok(Outcome::Exhausted);
                    }
                }
            }
            None => return Ok(Outcome::Exhausted),
        };
        let Err(error) = login.session.userauth_password(&login.target.user, &password) else {
            return Ok(Outcome::Done("password".to_owned()));
        };
        if is_fatal(&error) {
            return Err(lost(login.target, &error));
        }
        login.failed(what, error.message().to_owned());
        Ok(Outcome::Perhaps)
    }
}
