//! Keys: those of the agent, and those in files.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;

use ssh2::{Agent, ErrorCode, PublicKey};
use zeroize::Zeroizing;

use super::super::prompt::{PromptKind, Question, printable};
use super::super::stream::A_PERSON;
use super::agent;
use super::identities::{self, Candidate, Holder};
use super::key_file::{KeyFile, public_text};
use super::order::{Login, Outcome, is_fatal};
use crate::error::SshError;

/// The keys that are not yet tried.
#[derive(Default)]
pub(super) struct Keys {
    queue: Option<VecDeque<Candidate>>,
    agent: Option<Agent>,
    in_agent: Vec<PublicKey>,
}

/// What libssh2 reports when the server takes no signature of this key.
const REFUSED: i32 = -18;
/// What it reports when the server has taken the key, and then the signature failed.
const UNVERIFIED: i32 = -19;

impl Keys {
    /// Tries one key after the other, until the server may have accepted one.
    pub(super) fn attempt(&mut self, login: &mut Login<'_>) -> Result<Outcome, SshError> {
        if self.queue.is_none() {
            self.queue = Some(self.collect(login)?);
        }
        while let Some(candidate) = self.queue.as_mut().and_then(VecDeque::pop_front) {
            let outcome = match &candidate.holder {
                Holder::Agent(key) => self.with_agent(login, &candidate, key)?,
                Holder::File(file, key) => with_file(login, &candidate, file, key)?,
            };
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
        if login.attempts.is_empty() {
            login.failed("publickey", "there is no key, neither in an agent nor in a file");
        }
        Ok(Outcome::Exhausted)
    }

    fn collect(&mut self, login: &mut Login<'_>) -> Result<VecDeque<Candidate>, SshError> {
        let target = login.target;
        // Missing default identity files are ignored.
        for file in login.settings.identity_files.iter().filter(|file| !file.exists()) {
            login.failed(format!("publickey ({})", file.display()), "does not exist");
        }
        let named = identities::named(login);
        let certificates = identities::certificates(login);
        let mut in_agent = Vec::new();
        if let Some(socket) = &target.agent {
            match agent::keys(socket, target.connect_timeout) {
                Ok(keys) => in_agent = keys,
                Err(why) => login.failed(format!("agent {}", socket.display()), why.to_string()),
            }
        }
        let (mut candidates, orphans) =
            identities::order(named, certificates, in_agent, target.identities_only);
        for certificate in orphans {
            let what = format!("publickey ({})", certificate.display());
            login.failed(what, "the key of this certificate is neither in the agent nor in a file");
        }
        let is_held = |candidate: &Candidate| matches!(candidate.holder, Holder::Agent(_));
        if let Some(socket) = &target.agent
            && candidates.iter().any(is_held)
        {
            let limit = target.connect_timeout;
            let step = "the list of the SSH agent's keys";
            let timeout = || SshError::Timeout { host: target.name(), step, limit };
            match agent::open(login.session, socket, &candidates, limit).ok_or_else(timeout)? {
                Ok((agent, keys)) => (self.agent, self.in_agent) = (Some(agent), keys),
                Err(why) => {
                    login.failed(format!("agent {}", socket.display()), why);
                    candidates.retain(|candidate| !is_held(candidate));
                }
            }
        }
        Ok(candidates.into())
    }

    fn with_agent(
        &mut self,
        login: &mut Login<'_>,
        candidate: &Candidate,
        key: &agent::Key,
    ) -> Result<Option<Outcome>, SshError> {
        let known = |known: &PublicKey| Some(known.blob()) == candidate.public.as_deref();
        let Some(at) = self.in_agent.iter().position(known) else { return Ok(None) };
        let Some(agent) = self.agent.take() else { return Ok(None) };
        let what = describe(&format!("agent: {}", printable(&key.comment)), candidate);
        let limit = login.target.connect_timeout;
        let public = self.in_agent.remove(at);
        let Some((agent, result)) = agent::sign(agent, &login.target.user, public, limit) else {
            return Err(SshError::Timeout {
                host: login.target.name(),
                step: "a signature of the SSH agent",
                limit: limit + A_PERSON,
            });
        };
        self.agent = Some(agent);
        conclude(login, what, result)
    }
}

/// Names a key, and the file of the certificate that goes with it.
fn describe(key: &str, candidate: &Candidate) -> String {
    match &candidate.certificate {
        Some(certificate) => format!("publickey ({key}, certificate {})", certificate.display()),
        None => format!("publickey ({key})"),
    }
}

fn with_file(
    login: &mut Login<'_>,
    candidate: &Candidate,
    file: &Path,
    key: &KeyFile,
) -> Result<Option<Outcome>, SshError> {
    let what = describe(&file.display().to_string(), candidate);
    if !key.encrypted {
        let result = sign(login, candidate, file, "");
        return conclude(login, what, result);
    }
    // Nobody is asked for the passphrase of a key that the server does not want.
    if candidate.public.is_some() {
        let result = sign(login, candidate, file, "");
        match &result {
            Err(error) if is_fatal(error) => return conclude(login, what, result),
            Err(error) if error.code() == ErrorCode::Session(REFUSED) => {
                return conclude(login, what, result);
            }
            _ => {}
        }
    }
    let question = format!("Enter passphrase for key '{}': ", file.display());
    for _ in 0..login.target.password_prompts {
        let answer = login.questions.ask(Question {
            kind: PromptKind::Passphrase,
            text: &question,
            instruction: "",
            echo: false,
        });
        let Some(passphrase) = answer else {
            let mut why = format!("the key is encrypted, and {}", login.questions.silence());
            if !login.questions.is_late() {
                why.push_str(" for its passphrase");
            }
            login.failed(&what, why);
            return Ok(None);
        };
        // As with OpenSSH: no passphrase, no such key.
        if passphrase.is_empty() {
            break;
        }
        let result = sign(login, candidate, file, &passphrase);
        match &result {
            Err(error) if is_wrong_passphrase(error) => {}
            _ => return conclude(login, what, result),
        }
    }
    login.failed(&what, "the passphrase is wrong");
    Ok(None)
}

/// Lets libssh2 log in with a key file.
fn sign(
    login: &Login<'_>,
    candidate: &Candidate,
    file: &Path,
    passphrase: &str,
) -> Result<(), ssh2::Error> {
    let user = &login.target.user;
    // With its public key libssh2 can ask the server whether it wants the key before it decrypts it.
    if let Some(public) = candidate.public.as_deref().and_then(public_text)
        && let Ok(private) = fs::read_to_string(file).map(Zeroizing::new)
    {
        return login.session.userauth_pubkey_memory(
            user,
            Some(&public),
            &private,
            Some(passphrase),
        );
    }
    login.session.userauth_pubkey_file(user, None, file, Some(passphrase))
}

/// libssh2 has no code of its own for it. It reports a key that it cannot read, before or after it has
/// asked the server.
fn is_wrong_passphrase(error: &ssh2::Error) -> bool {
    match error.code() {
        ErrorCode::Session(UNVERIFIED) => error.message().starts_with("Callback"),
        ErrorCode::Session(REFUSED) => false,
        _ => !is_fatal(error),
    }
}

/// Returns what came of a key, or `None` if the next one is to be tried.
fn conclude(
    login: &mut Login<'_>,
    what: String,
    result: Result<(), ssh2::Error>,
) -> Result<Option<Outcome>, SshError> {
    let Err(error) = result else { return Ok(Some(Outcome::Done(what))) };
    let why = match error.code() {
        ErrorCode::Session(REFUSED) => "the server does not accept this key".to_owned(),
        ErrorCode::Session(UNVERIFIED) if is_wrong_passphrase(&error) => {
            "the key cannot sign".to_owned()
        }
        _ => error.message().to_owned(),
    };
    let perhaps = error.code() == ErrorCode::Session(UNVERIFIED) && !is_wrong_passphrase(&error);
    login.failed(what, why);
    if is_fatal(&error) {
        return Err(super::super::connect::lost(login.target, &error));
    }
    Ok(perhaps.then_some(Outcome::Perhaps))
}
