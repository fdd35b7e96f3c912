//! The key exchange.

use ssh2::{ErrorCode, MethodType, Session};

use super::config::Target;
use super::deadline::milliseconds;
use super::known_hosts::KnownHosts;
use super::stream::Stream;
use crate::error::SshError;

/// What libssh2 reports when its time limit is over.
const TIMEOUT: i32 = -9;
const SOCKET_TIMEOUT: i32 = -30;

/// Starts a session: algorithms are agreed on, and the server has shown its key.
pub(super) fn handshake(
    target: &Target,
    known: &KnownHosts,
    stream: &Stream,
) -> Result<Session, SshError> {
    let step = "the key exchange";
    let failed = |error: ssh2::Error| protocol(target, step, &error);
    let mut session = Session::new().map_err(failed)?;
    if target.compression {
        session.set_compress(true);
    }
    set_algorithms(target, known, &session)?;
    let patience = stream.patience(target);
    session.set_timeout(milliseconds(patience));
    session.set_tcp_stream(stream.clone());
    session.handshake().map_err(|error| {
        let error = match failed(error) {
            SshError::Timeout { host, step, .. } => {
                SshError::Timeout { host, step, limit: patience }
            }
            other => other,
        };
        match stream.stderr() {
            Some(stderr) => stderr.explain(target.name(), error),
            None => error,
        }
    })?;
    session.set_timeout(milliseconds(target.connect_timeout));
    Ok(session)
}

/// Makes an error of what libssh2 said.
pub(super) fn protocol(target: &Target, step: &'static str, error: &ssh2::Error) -> SshError {
    let host = target.name();
    match error.code() {
        ErrorCode::Session(TIMEOUT | SOCKET_TIMEOUT) => {
            SshError::Timeout { host, step, limit: target.connect_timeout }
        }
        _ => SshError::Protocol { host, step, message: error.message().to_owned() },
    }
}

fn set_algorithms(target: &Target, known: &KnownHosts, session: &Session) -> Result<(), SshError> {
    let algorithms = &target.algorithms;
    let supported = supported(session, MethodType::HostKey);
    // Without a configuration: no SHA-1.
    let wanted = algorithms.host_key.clone().unwrap_or_else(|| {
        supported
            .iter()
            .filter(|name| !matches!(name.as_str(), "ssh-rsa" | "ssh-dss"))
            .cloned()
            .collect()
    });
    let host_key = host_key_order(&wanted, &supported, &known.key_types()?);
    set(target, session, MethodType::HostKey, "HostKeyAlgorithms", &host_key)?;
    for (methods, option, wanted) in [
        (&[MethodType::Kex][..], "KexAlgorithms", &algorithms.kex),
        (&[MethodType::CryptCs, MethodType::CryptSc], "Ciphers", &algorithms.ciphers),
        (&[MethodType::MacCs, MethodType::MacSc], "MACs", &algorithms.macs),
    ] {
        let Some(wanted) = wanted else { continue };
        for &method in methods {
            let supported = self::supported(session, method);
            let usable: Vec<String> =
                wanted.iter().filter(|name| supported.contains(name)).cloned().collect();
            set(target, session, method, option, &usable)?;
        }
    }
    Ok(())
}

fn supported(session: &Session, method: MethodType) -> Vec<String> {
    let names = session.supported_algs(method).unwrap_or_default();
    names.into_iter().map(str::to_owned).collect()
}

fn set(
    target: &Target,
    session: &Session,
    method: MethodType,
    option: &'static str,
    names: &[String],
) -> Result<(), SshError> {
    if names.is_empty() {
        return Err(SshError::Unsupported {
            host: target.hostname.clone(),
            option: format!("{option} with nothing that libssh2 has"),
        });
    }
    let names = names.join(",");
    session
        .method_pref(method, &names)
        .map_err(|error| protocol(target, "the key exchange", &error))
}

/// Puts the algorithms of known keys first, so that the host shows a key that can be compared. Host
/// certificates are left out: libssh2 would take one without asking who signed it.
fn host_key_order(wanted: &[String], supported: &[String], known: &[String]) -> Vec<String> {
    let usable = wanted
        .iter()
        .filter(|name| supported.contains(name) && !name.contains("-cert-"))
        .map(String::as_str);
    let is_known = |algorithm: &&str| {
        let key_type = if algorithm.starts_with("rsa-sha2-") { "ssh-rsa" } else { algorithm };
        known.iter().any(|known| known == key_type)
    };
    let (first, then): (Vec<&str>, Vec<&str>) = usable.partition(is_known);
    first.into_iter().chain(then).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithms_of_known_keys_come_first_and_certificates_never() {
        let list = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let wanted =
            list("ssh-ed25519-cert-v01@openssh.com ssh-ed25519 sk-x rsa-sha2-512 rsa-sha2-256");
        let supported =
            list("ssh-rsa rsa-sha2-256 rsa-sha2-512 ssh-ed25519 ssh-ed25519-cert-v01@openssh.com");
        let order = |known: &str| host_key_order(&wanted, &supported, &list(known)).join(" ");
        assert_eq!(order("ssh-dss"), "ssh-ed25519 rsa-sha2-512 rsa-sha2-256");
        assert_eq!(order("ssh-rsa"), "rsa-sha2-512 rsa-sha2-256 ssh-ed25519");
        assert_eq!(order("ssh-rsa ssh-ed25519"), "ssh-ed25519 rsa-sha2-512 rsa-sha2-256");
    }
}
