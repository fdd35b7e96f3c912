//! Why a host's key is refused.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::word::shell_word;

/// A host's key that is refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.text())]
#[non_exhaustive]
pub struct HostKeyError {
    /// What is wrong with it.
    pub problem: HostKeyProblem,
    /// The host, under its name in known_hosts.
    pub host: String,
    /// The port that it listens on.
    pub port: u16,
    /// `ED25519`, `ECDSA`, `RSA`.
    pub key_type: String,
    /// As `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The user's file of known hosts.
    pub file: PathBuf,
}

/// What is wrong with a host's key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostKeyProblem {
    /// It is not known, and the policy is [`Reject`](crate::ssh::HostKeyPolicy::Reject).
    Unknown,
    /// It is not among the keys that are known of the host, which are here.
    Changed(Vec<KeyPlace>),
    /// It is revoked here.
    Revoked(KeyPlace),
    /// A certificate authority alone vouches for the host, here, and certificates cannot be checked.
    Authority(KeyPlace),
}

/// A file of known hosts, and a line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPlace {
    /// The file.
    pub file: PathBuf,
    /// The line, counted from 1; 0 is the file as a whole.
    pub line: usize,
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if self.line > 0 { write!(f, ":{}", self.line) } else { Ok(()) }
    }
}

impl HostKeyError {
    fn text(&self) -> String {
        let Self { host, key_type, fingerprint, .. } = self;
        match &self.problem {
            HostKeyProblem::Unknown => {
                format!("the host key of {host} is not known: {key_type} {fingerprint}")
            }
            HostKeyProblem::Changed(known) => {
                let places: Vec<String> = known.iter().map(ToString::to_string).collect();
                format!(
                    "the host key of {host} has changed: it is now {key_type} {fingerprint}, and not the one in {}",
                    places.join(", ")
                )
            }
            HostKeyProblem::Revoked(place) => {
                format!("the host key of {host} is revoked in {place}: {key_type} {fingerprint}")
            }
            HostKeyProblem::Authority(place) => format!(
                "{host} is known by a certificate authority alone, in {place}, and host certificates cannot be checked; its key is {key_type} {fingerprint}"
            ),
        }
    }

    /// Returns what can be done about it.
    pub fn hint(&self) -> String {
        match &self.problem {
            HostKeyProblem::Unknown => self.how_it_becomes_known(),
            HostKeyProblem::Changed(known) => format!(
                "somebody may be listening in. Ask the administrators whether the key was changed; if so, forget the old one: {}",
                self.how_it_is_forgotten(known)
            ),
            HostKeyProblem::Revoked(_) => {
                "do not connect before the administrators have said why it is revoked".to_owned()
            }
            HostKeyProblem::Authority(_) => {
                format!("add the key of this host alone: {}", self.how_it_becomes_known())
            }
        }
    }

    fn how_it_becomes_known(&self) -> String {
        let host = self.host.strip_prefix('[').and_then(|rest| rest.split(']').next());
        format!(
            "compare the fingerprint with what the administrators publish, and then: ssh-keyscan -p {} {} >> {}",
            self.port,
            shell_word(host.unwrap_or(&self.host)),
            shell_word(&self.file.to_string_lossy())
        )
    }

    fn how_it_is_forgotten(&self, known: &[KeyPlace]) -> String {
        let mut files: Vec<&Path> = known.iter().map(|place| place.file.as_path()).collect();
        files.dedup();
        let command = |file: &&Path| {
            let file = shell_word(&file.to_string_lossy());
            format!("ssh-keygen -f {file} -R {}", shell_word(&self.host))
        };
        files.iter().map(command).collect::<Vec<_>>().join(" && ")
    }
}
