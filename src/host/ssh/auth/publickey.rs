//! Keys: those of the agent, and those in files.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use ssh2::{Agent, ErrorCode, PublicKey};
use zeroize::Zeroizing;

use super::super::SshError;
use super::super::prompt::{PromptKind, ask, printable};
use super::super::stream::A_PERSON;
use super::agent;
use super::attempt::NO_ANSWER;
use super::key_file::{KeyFile, public_key, public_text};
use super::order::{Login, Outcome, is_fatal};

/// The keys that are not yet tried.
#[derive(Default)]
pub(super) struct Keys {
    queue: Option<VecDeque<Candidate>>,
    agent: Option<Agent>,
}

enum Candidate {
    Agent(PublicKey),
    File(Identity),
}

/// A private key's file that exists.
struct Identity {
    file: PathBuf,
    key: KeyFile,
    /// A certificate that goes with it.
    certificate: Option<PathBuf>,
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
            let outcome = match candidate {
                Candidate::Agent(key) => self.with_agent(login, key)?,
                Candidate::File(identity) => with_file(login, &identity)?,
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

    /// OpenSSH's order: keys of the agent that the configuration names, its other keys unless
    /// `IdentitiesOnly`, and then the files that are not in the agent.
    fn collect(&mut self, login: &mut Login<'_>) -> Result<VecDeque<Candidate>, SshError> {
        let target = login.target;
        // Others that are missing are as good as not configured.
        for file in login.settings.identity_files.iter().filter(|file| !file.exists()) {
            login.failed(format!("publickey ({})", file.display()), "does not exist");
        }
        let mut named: Vec<(Option<Vec<u8>>, Option<Identity>)> = Vec::new();
        for file in &target.identity_files {
            let (public, identity) = look_at(login, file);
            if public.is_some() || identity.is_some() {
                named.push((public, identity));
            }
        }
        let mut in_agent = Vec::new();
        if let Some(socket) = &target.agent {
            let limit = target.connect_timeout;
            let step = "the list of the SSH agent's keys";
            let timeout = || SshError::Timeout { host: target.name(), step, limit };
            match agent::open(login.session, socket, limit).ok_or_else(timeout)? {
                Ok((agent, keys)) => {
                    self.agent = Some(agent);
                    in_agent = keys;
                }
                Err(why) => login.failed(format!("agent {}", socket.display()), why),
            }
        }
        let mut queue = VecDeque::new();
        for (public, _) in &named {
            if let Some(at) = in_agent.iter().position(|key| Some(key.blob()) == public.as_deref())
            {
                queue.push_back(Candidate::Agent(in_agent.remove(at)));
            }
        }
        let is_queued = |public: &Option<Vec<u8>>, queue: &VecDeque<Candidate>| {
            queue.iter().any(|candidate| {
                matches!(candidate, Candidate::Agent(key) if Some(key.blob()) == public.as_deref())
            })
        };
        if !target.identities_only {
            queue.extend(in_agent.into_iter().map(Candidate::Agent));
        }
        for (public, identity) in named {
            let Some(identity) = identity else { continue };
            if !is_queued(&public, &queue) {
                queue.push_back(Candidate::File(identity));
            }
        }
        Ok(queue)
    }

    fn with_agent(
        &mut self,
        login: &mut Login<'_>,
        key: PublicKey,
    ) -> Result<Option<Outcome>, SshError> {
        let Some(agent) = self.agent.take() else { return Ok(None) };
        let what = format!("publickey (agent: {})", printable(key.comment()));
        let limit = login.target.connect_timeout;
        let Some((agent, result)) = agent::sign(agent, &login.target.user, key, limit) else {
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

/// Finds out what a file of the configuration is: a private key, a public one whose private one is in
/// the agent, or nothing.
fn look_at(login: &mut Login<'_>, file: &Path) -> (Option<Vec<u8>>, Option<Identity>) {
    let beside = |suffix: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let public_file = beside(".pub");
    let beside_public = fs::read_to_string(&public_file).ok().and_then(|text| public_key(&text));
    let what = || format!("publickey ({})", file.display());
    let text = match fs::read_to_string(file) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                login.failed(what(), format!("cannot be read: {error}"));
            }
            return (beside_public, None);
        }
    };
    if let Some(public) = public_key(&text) {
        return (Some(public), None);
    }
    let Some(key) = KeyFile::read(&text) else {
        login.failed(what(), "is not a private key");
        return (beside_public, None);
    };
    if let Ok(metadata) = fs::metadata(file)
        && metadata.uid() == rustix::process::getuid().as_raw()
        && metadata.mode() & 0o077 != 0
    {
        login.failed(
            what(),
            format!("others can read it, so it is not used: chmod 600 {}", file.display()),
        );
        return (beside_public, None);
    }
    let public = key.public.clone().or(beside_public);
    let certificate = Some(beside("-cert.pub"))
        .filter(|file| file.exists())
        .or_else(|| login.target.certificate_files.iter().find(|file| file.exists()).cloned());
    (public, Some(Identity { file: file.to_owned(), key, certificate }))
}

fn with_file(login: &mut Login<'_>, identity: &Identity) -> Result<Option<Outcome>, SshError> {
    let what = format!("publickey ({})", identity.file.display());
    if !identity.key.encrypted {
        let result = sign(login, identity, "");
        return conclude(login, what, result);
    }
    // Nobody is asked for the passphrase of a key that the server does not want.
    if identity.key.public.is_some() {
        let result = sign(login, identity, "");
        match &result {
            Err(error) if is_fatal(error) => return conclude(login, what, result),
            Err(error) if error.code() == ErrorCode::Session(REFUSED) => {
                return conclude(login, what, result);
            }
            _ => {}
        }
    }
    let question = format!("Enter passphrase for key '{}': ", identity.file.display());
    for _ in 0..login.target.password_prompts {
        let answer = login
            .target
            .asks
            .then(|| ask(&*login.settings.prompter, PromptKind::Passphrase, &question, "", false))
            .flatten();
        let Some(passphrase) = answer else {
            login
                .failed(&what, format!("the key is encrypted, and {NO_ANSWER} for its passphrase"));
            return Ok(None);
        };
        // As with OpenSSH: no passphrase, no such key.
        if passphrase.is_empty() {
            break;
        }
        let result = sign(login, identity, &passphrase);
        match &result {
            Err(error) if is_wrong_passphrase(error) => {}
            _ => return conclude(login, what, result),
        }
    }
    login.failed(&what, "the passphrase is wrong");
    Ok(None)
}

/// Lets libssh2 log in with a key file.
fn sign(login: &Login<'_>, identity: &Identity, passphrase: &str) -> Result<(), ssh2::Error> {
    let user = &login.target.user;
    // With its public key libssh2 can ask the server whether it wants the key before it decrypts it.
    if identity.certificate.is_none()
        && let Some(public) = identity.key.public.as_deref().and_then(public_text)
        && let Ok(private) = fs::read_to_string(&identity.file).map(Zeroizing::new)
    {
        return login.session.userauth_pubkey_memory(
            user,
            Some(&public),
            &private,
            Some(passphrase),
        );
    }
    let certificate = identity.certificate.as_deref();
    login.session.userauth_pubkey_file(user, certificate, &identity.file, Some(passphrase))
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
