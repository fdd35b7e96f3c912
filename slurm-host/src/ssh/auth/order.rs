//! Which method comes when.

use ssh2::Session;

use super::super::config::Target;
use super::super::connect::lost;
use super::super::settings::Ssh;
use super::super::stream::Stream;
use super::questions::Questions;
use super::{keyboard, password, publickey};
use crate::error::Attempt;
use crate::error::BROKE_OFF;
use crate::error::SshError;

/// What became of a method.
pub(super) enum Outcome {
    /// Logged in, by this.
    Done(String),
    /// The server may have been satisfied and want another method too.
    Perhaps,
    /// It has nothing more to offer.
    Exhausted,
}

/// A login under way.
pub(super) struct Login<'a> {
    pub(super) target: &'a Target,
    pub(super) settings: &'a Ssh,
    pub(super) session: &'a Session,
    pub(super) stream: &'a Stream,
    pub(super) questions: Questions,
    pub(super) attempts: Vec<Attempt>,
}

/// Logs in, and returns by which method.
pub(in super::super) fn authenticate(
    target: &Target,
    settings: &Ssh,
    session: &Session,
    stream: &Stream,
) -> Result<String, SshError> {
    let questions = Questions::new(target, settings);
    let mut login = Login { target, settings, session, stream, questions, attempts: Vec::new() };
    let mut publickey = publickey::Keys::default();
    let mut password = password::Passwords::default();
    let mut keyboard = keyboard::Keyboard::default();
    let Some(mut accepted) = login.accepted()? else { return Ok("none".to_owned()) };
    let mut exhausted: Vec<String> = Vec::new();
    loop {
        let method = target
            .methods
            .iter()
            .find(|method| accepted.contains(method) && !exhausted.contains(method));
        let Some(method) = method else { break };
        let outcome = match method.as_str() {
            "publickey" => publickey.attempt(&mut login)?,
            "keyboard-interactive" => keyboard.attempt(&mut login)?,
            _ => password.attempt(&mut login)?,
        };
        match outcome {
            Outcome::Done(by) => return Ok(by),
            Outcome::Perhaps => match login.accepted() {
                // libssh2 does not say "right, and now the next one". The server's list says it.
                Ok(Some(now)) => {
                    if !now.contains(method) {
                        login.replace_last("accepted, but the server wants another method too");
                    }
                    accepted = now;
                }
                Ok(None) => return Ok(method.clone()),
                Err(error) if login.attempts.is_empty() => return Err(error),
                Err(error) => {
                    login.failed("the server", format!("{BROKE_OFF} ({error})"));
                    break;
                }
            },
            Outcome::Exhausted => exhausted.push(method.clone()),
        }
    }
    for method in accepted.iter().filter(|method| !target.methods.contains(method)) {
        login.attempts.push(Attempt::new(method, "not tried: not supported, or switched off"));
    }
    Err(SshError::Authentication {
        host: target.name(),
        user: target.user.clone(),
        accepted,
        attempts: login.attempts,
    })
}

impl Login<'_> {
    /// Asks the server what it accepts now, or returns `None` if that is enough for it. The first time is
    /// free; any other counts as an attempt.
    fn accepted(&self) -> Result<Option<Vec<String>>, SshError> {
        match self.session.auth_methods(&self.target.user) {
            _ if self.session.authenticated() => Ok(None),
            Ok(methods) => Ok(Some(methods.split(',').map(str::to_owned).collect())),
            Err(error) => Err(lost(self.target, &error)),
        }
    }

    pub(super) fn failed(&mut self, what: impl Into<String>, why: impl Into<String>) {
        let attempt = Attempt::new(what, why);
        log::debug!("{}: {attempt}", self.target.name());
        self.attempts.push(attempt);
    }

    fn replace_last(&mut self, why: &str) {
        if let Some(last) = self.attempts.last_mut() {
            last.why = why.to_owned();
        }
    }

    /// Returns who logs in where, for questions.
    pub(super) fn who(&self) -> String {
        format!("{}@{}", self.target.user, self.target.hostname)
    }
}

/// Whether the connection is gone, or too slow, so that nothing else can be tried on it.
pub(super) fn is_fatal(error: &ssh2::Error) -> bool {
    // Socket errors and time limits of libssh2, in the order of libssh2.h.
    const FATAL: [i32; 6] = [-7, -9, -13, -30, -43, -45];
    matches!(error.code(), ssh2::ErrorCode::Session(code) if FATAL.contains(&code))
}
