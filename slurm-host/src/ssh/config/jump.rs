//! `ProxyJump`.

use std::path::Path;
use std::time::Duration;

use super::super::settings::{HostKeyPolicy, Ssh};
use super::word::check_word;
use crate::error::SshError;

/// The arguments of the `ssh` that carries the connection: the last of the jump hosts is its host, and
/// those before become its own jumps. What holds for this connection holds for the way to it.
pub(super) fn jump(
    settings: &Ssh,
    jumps: &str,
    hostname: &str,
    port: u16,
    connect_timeout: Duration,
    asks: bool,
) -> Result<Vec<String>, SshError> {
    let mut arguments: Vec<String> = Vec::new();
    let mut option = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
    if let Some(file) = &settings.config_file {
        option("-F", file.to_string_lossy().into_owned());
    }
    let seconds = connect_timeout.as_secs().max(1);
    option("-o", format!("ConnectTimeout={seconds}"));
    if !asks {
        option("-o", "BatchMode=yes".to_owned());
    }
    match settings.policy {
        Some(HostKeyPolicy::Reject) => option("-o", "StrictHostKeyChecking=yes".to_owned()),
        Some(HostKeyPolicy::Auto) => option("-o", "StrictHostKeyChecking=accept-new".to_owned()),
        Some(HostKeyPolicy::Warn) | None => {}
    }
    if let Some(file) = &settings.known_hosts_file {
        option("-o", format!("UserKnownHostsFile={}", quoted(file)));
    }
    let last = match jumps.rsplit_once(',') {
        Some((before, last)) => {
            option("-J", before.to_owned());
            last
        }
        None => jumps,
    };
    option("-W", format!("[{hostname}]:{port}"));
    let last = last.strip_prefix("ssh://").unwrap_or(last);
    let (user, host) = match last.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, last),
    };
    let (host, jump_port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => (address, rest.strip_prefix(':')),
        // An address of IPv6 without brackets has no port.
        None => match host.split_once(':') {
            Some((host, port)) if !port.contains(':') => (host, Some(port)),
            _ => (host, None),
        },
    };
    check_word("a jump host", host)?;
    if let Some(user) = user {
        option("-l", user.to_owned());
    }
    if let Some(port) = jump_port {
        option("-p", port.to_owned());
    }
    arguments.extend(["--".to_owned(), host.to_owned()]);
    Ok(arguments)
}

/// For a value that OpenSSH splits at blanks, and in which it replaces tokens.
fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.to_string_lossy().replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jump_hosts_become_the_arguments_of_ssh() {
        let arguments = |jumps| {
            let limit = Duration::from_secs(7);
            let arguments = jump(&Ssh::to("x"), jumps, "10.0.0.1", 2222, limit, true).unwrap();
            arguments.join(" ")
        };
        assert_eq!(arguments("gate"), "-o ConnectTimeout=7 -W [10.0.0.1]:2222 -- gate");
        assert_eq!(
            arguments("a,me@b:22"),
            "-o ConnectTimeout=7 -J a -W [10.0.0.1]:2222 -l me -p 22 -- b"
        );
        assert_eq!(
            arguments("ssh://[::1]:5"),
            "-o ConnectTimeout=7 -W [10.0.0.1]:2222 -p 5 -- ::1"
        );
        assert!(jump(&Ssh::to("x"), "a,-oX=y", "h", 22, Duration::ZERO, true).is_err());
    }
}
