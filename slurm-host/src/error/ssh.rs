//! Why there is no connection.

use std::io;
use std::time::Duration;

use super::{Attempt, HostKeyError, KeyPlace};

/// Why a host could not be reached over SSH.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SshError {
    /// A setting cannot be right.
    #[error("`{value}` cannot be {what}: {message}")]
    Setting {
        /// What it was to be: `a host`, `a user`.
        what: &'static str,
        /// What was given.
        value: String,
        /// Why not.
        message: String,
    },
    /// The user's OpenSSH configuration cannot be read.
    #[error("`{command}` failed: {message}")]
    Config {
        /// The whole command line.
        command: String,
        /// Its own words.
        message: String,
    },
    /// The configuration asks for what cannot be had.
    #[error("the OpenSSH configuration of {host} says `{option}`, which is not supported")]
    Unsupported {
        /// The host.
        host: String,
        /// The option and its value.
        option: String,
    },
    /// The host's address is not known.
    #[error("the address of {host} cannot be found: {source}")]
    Address {
        /// The host.
        host: String,
        /// What the system said.
        source: io::Error,
    },
    /// No connection to the host.
    #[error("cannot connect to {host} port {port}: {source}")]
    Connect {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the system said.
        source: io::Error,
    },
    /// A step took too long.
    #[error("{host}: {step} did not end within {} s", limit.as_secs_f64())]
    Timeout {
        /// The host.
        host: String,
        /// What was waited for.
        step: &'static str,
        /// How long.
        limit: Duration,
    },
    /// The proxy command or the jump host failed.
    #[error("`{command}` did not connect to {host}: {message}")]
    Proxy {
        /// The host behind it.
        host: String,
        /// The command.
        command: String,
        /// What it wrote to stderr, or how it ended.
        message: String,
    },
    /// The two sides could not agree, or the other one broke off.
    #[error("{host}: {step} failed: {message}")]
    Protocol {
        /// The host.
        host: String,
        /// During what.
        step: &'static str,
        /// What libssh2 said.
        message: String,
    },
    /// The host's key is refused.
    #[error(transparent)]
    HostKey(Box<HostKeyError>),
    /// A file of known hosts cannot be read, or has a line that might forbid the connection.
    #[error("{place}: {message}")]
    KnownHosts {
        /// Where.
        place: KeyPlace,
        /// What is wrong.
        message: String,
    },
    /// The server accepted nothing.
    #[error("the login as {user}@{host} failed{}", tried(attempts))]
    Authentication {
        /// The host.
        host: String,
        /// The user.
        user: String,
        /// The methods that the server would have taken.
        accepted: Vec<String>,
        /// What was tried, and why it failed.
        attempts: Vec<Attempt>,
    },
}

fn tried(attempts: &[Attempt]) -> String {
    attempts.iter().map(|attempt| format!("\n  {attempt}")).collect()
}

impl SshError {
    /// Returns whether another attempt, a moment later, may go better.
    #[doc(hidden)]
    pub fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Address { .. }
                | Self::Connect { .. }
                | Self::Timeout { .. }
                | Self::Proxy { .. }
                | Self::Protocol { .. }
        )
    }

    /// Returns whether a person was asked who did not answer in time.
    pub(crate) fn is_unanswered(&self) -> bool {
        match self {
            Self::Authentication { attempts, .. } => attempts.iter().any(Attempt::is_unanswered),
            _ => false,
        }
    }

    /// Returns what can be done about it, if anything is known.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Setting { .. } => {
                "give a name, an address or an alias of ~/.ssh/config, and user and port by themselves"
                    .to_owned()
            }
            Self::Config { command, .. } => {
                format!("`{command}` must work on the command line; look at ~/.ssh/config")
            }
            Self::Unsupported { option, .. } => {
                format!("override `{option}` for this host in ~/.ssh/config")
            }
            Self::Address { host, .. } => format!(
                "look for a mistake in the name; `ssh {host}` should know it, and so should ~/.ssh/config if it is an alias"
            ),
            Self::Connect { source, host, port } => match source.kind() {
                io::ErrorKind::ConnectionRefused => format!(
                    "nothing listens on port {port} of {host}: look for a mistake in the port, or a host that is down"
                ),
                _ => format!(
                    "the network may be down, or a VPN or jump host needed: try `ssh -p {port} {host}`"
                ),
            },
            Self::Timeout { .. } => {
                "the host may be down or behind a firewall; connect_timeout sets the limit".to_owned()
            }
            Self::Proxy { .. } => {
                "`ssh` to the same host must work; look at its ProxyJump and ProxyCommand in ~/.ssh/config".to_owned()
            }
            Self::Protocol { .. } => "compare with what `ssh -v` to the same host says".to_owned(),
            Self::HostKey(error) => error.hint(),
            Self::KnownHosts { .. } => "mend the line, or remove it".to_owned(),
            Self::Authentication { accepted, attempts, .. } => authentication(accepted, attempts),
        })
    }
}

fn authentication(accepted: &[String], attempts: &[Attempt]) -> String {
    let silent = attempts.iter().any(Attempt::is_for_want_of_answers);
    let accepted = match accepted {
        [] => "the server did not say what it accepts".to_owned(),
        methods => format!("the server accepts {}", methods.join(", ")),
    };
    let advice = if attempts.iter().any(Attempt::is_for_too_many) {
        "too many keys may have been tried; name one with IdentityFile and IdentitiesOnly yes in ~/.ssh/config"
    } else if attempts.iter().any(Attempt::is_unanswered) {
        "run it again and answer (a program that goes on asks again after five minutes), let prompt_timeout be longer, or open a connection with ControlMaster, which is used while it is there"
    } else if silent {
        "run it on a terminal, set a prompter, add the key to an agent with ssh-add, or let `ssh` keep a connection open (ControlMaster in ~/.ssh/config), which is used while it is there"
    } else {
        "name the user and the key file, or add the key to an agent with ssh-add"
    };
    format!("{accepted}: {advice}")
}
