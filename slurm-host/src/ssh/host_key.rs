//! Whether the host is who it says.

use std::io::{self, Write};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ssh2::{HashType, Session};

use super::config::Target;
use super::known_hosts::{KnownHosts, Verdict, algorithm_of, save, text_of};
use super::settings::HostKeyPolicy;
use crate::error::{HostKeyError, HostKeyProblem, KeyPlace, SshError};
use crate::printable::Printable;

/// The key that a host has shown.
#[derive(Clone, Debug)]
pub(super) struct HostKey {
    /// `ED25519`, `ECDSA`, `RSA`.
    pub(super) key_type: String,
    /// As `ssh-keygen -l` prints it.
    pub(super) fingerprint: String,
}

/// Compares the key that the session's host has shown with what is known. Nothing else may be sent
/// before.
pub(super) fn check(
    target: &Target,
    known: &KnownHosts,
    session: &Session,
) -> Result<HostKey, SshError> {
    let incomplete = || SshError::Protocol {
        host: target.name(),
        step: "the key exchange",
        message: "the server showed no host key".to_owned(),
    };
    let (blob, _) = session.host_key().ok_or_else(incomplete)?;
    let hash = session.host_key_hash(HashType::Sha256).ok_or_else(incomplete)?;
    let key_type = display_type(algorithm_of(blob).unwrap_or("unknown"));
    let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(hash));
    let refused = |problem| {
        SshError::HostKey(Box::new(HostKeyError {
            problem,
            host: target.key_name(),
            port: target.port,
            key_type: key_type.clone(),
            fingerprint: fingerprint.clone(),
            file: target.user_known_hosts.first().cloned().unwrap_or_else(default_file),
        }))
    };
    if let Some(place) = revoked(target, blob)? {
        return Err(refused(HostKeyProblem::Revoked(place)));
    }
    match (known.judge(blob)?, target.policy) {
        (Verdict::Known, _) => {}
        (Verdict::Revoked(place), _) => return Err(refused(HostKeyProblem::Revoked(place))),
        (Verdict::Changed(known), _) => return Err(refused(HostKeyProblem::Changed(known))),
        (Verdict::Authority(place), _) => return Err(refused(HostKeyProblem::Authority(place))),
        (Verdict::Unknown, HostKeyPolicy::Reject) => return Err(refused(HostKeyProblem::Unknown)),
        (Verdict::Unknown, HostKeyPolicy::Warn) => warn_always(&format!(
            "the host key of {} is not known and was accepted: {key_type} {fingerprint}",
            target.key_name()
        )),
        (Verdict::Unknown, HostKeyPolicy::Auto) => {
            remember(target, blob, &key_type, &fingerprint);
        }
    }
    Ok(HostKey { key_type, fingerprint })
}

/// Warns the user even if the program has no logger or drops warnings, because the user has to decide whether to trust
/// the host.
fn warn_always(message: &str) {
    if log::log_enabled!(log::Level::Warn) {
        log::warn!("{message}");
    } else {
        let _ = writeln!(io::stderr(), "warning: {}", Printable(message));
    }
}

fn default_file() -> PathBuf {
    std::env::home_dir().unwrap_or_default().join(".ssh/known_hosts")
}

/// A home that cannot be written to is no reason to stay out.
fn remember(target: &Target, blob: &[u8], key_type: &str, fingerprint: &str) {
    let host = target.key_name();
    let saved = match target.user_known_hosts.first() {
        Some(file) => save(file, &host, blob, target.hash_names)
            .map(|()| file)
            .map_err(|error| format!("{}: {error}", file.display())),
        None => Err("UserKnownHostsFile is none".to_owned()),
    };
    match saved {
        Ok(file) => log::info!(
            "the host key of {host} was not known and is saved in {}: {key_type} {fingerprint}",
            file.display()
        ),
        Err(why) => warn_always(&format!(
            "the host key of {host} is not known and was accepted: {key_type} {fingerprint}; it cannot be saved ({why})"
        )),
    }
}

/// `RevokedHostKeys`: a file of public keys. As for OpenSSH, a file that cannot be used revokes all.
fn revoked(target: &Target, blob: &[u8]) -> Result<Option<KeyPlace>, SshError> {
    let Some(file) = &target.revoked_host_keys else { return Ok(None) };
    let problem = |line, message: &str| SshError::KnownHosts {
        place: KeyPlace { file: file.clone(), line },
        message: message.to_owned(),
    };
    let text =
        text_of(file)?.ok_or_else(|| problem(0, "RevokedHostKeys names it, and it is missing"))?;
    if text.starts_with("SSHKRL") {
        return Err(problem(
            0,
            "RevokedHostKeys as a KRL cannot be read, only as a list of public keys",
        ));
    }
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = line.split_whitespace().nth(1).and_then(|word| STANDARD.decode(word).ok());
        match key {
            Some(key) if key == blob => {
                return Ok(Some(KeyPlace { file: file.clone(), line: index + 1 }));
            }
            Some(_) => {}
            None => return Err(problem(index + 1, "this is not a public key")),
        }
    }
    Ok(None)
}

/// The type as `ssh-keygen -l` names it.
pub(super) fn display_type(algorithm: &str) -> String {
    match algorithm {
        "ssh-ed25519" => "ED25519",
        "ssh-rsa" => "RSA",
        "ssh-dss" => "DSA",
        other if other.starts_with("ecdsa-sha2-") => "ECDSA",
        other => other,
    }
    .to_owned()
}
