//! From settings to a target.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use super::super::settings::{HostKeyPolicy, Ssh};
use super::jump::jump;
use super::target::{Algorithms, Proxy, Target};
use super::word::check_word;
use super::{Options, Tokens, read};
use crate::command::CommandLine;
use crate::error::HostError;
use crate::error::SshError;

const METHODS: [&str; 3] = ["publickey", "keyboard-interactive", "password"];
const DEFAULT_KEYS: [&str; 3] = ["~/.ssh/id_rsa", "~/.ssh/id_ecdsa", "~/.ssh/id_ed25519"];

/// Finds out everything about a host before anything is connected.
pub(in super::super) fn resolve(settings: &Ssh) -> Result<Target, SshError> {
    check_word("a host", &settings.host)?;
    if let Some(user) = &settings.user {
        check_word("a user", user)?;
    }
    let options = match ask_ssh(settings)? {
        Some(text) => read(&text),
        None => {
            log::warn!(
                "`ssh` was not found, so ~/.ssh/config is not read and the defaults of OpenSSH apply to {}",
                settings.host
            );
            defaults(settings)
        }
    };
    target(settings, options)
}

/// What `ssh -G` prints, or `None` if there is no `ssh`.
fn ask_ssh(settings: &Ssh) -> Result<Option<String>, SshError> {
    let mut command = CommandLine::new("ssh").args(["-T", "-G"]).within(Duration::from_secs(30));
    if let Some(file) = &settings.config_file {
        command = command.arg("-F").arg(file.to_string_lossy());
    }
    if let Some(user) = &settings.user {
        command = command.arg("-l").arg(user);
    }
    if let Some(port) = settings.port {
        command = command.arg("-p").arg(port.to_string());
    }
    for file in &settings.identity_files {
        command = command.arg("-i").arg(file.to_string_lossy());
    }
    // A host that begins with `-` was refused, and would not become an option here.
    command = command.arg("--").arg(&settings.host);
    let failed = |message: String| SshError::Config { command: command.to_string(), message };
    match command.run_here() {
        Ok(output) if output.status.success() => Ok(Some(output.stdout)),
        Ok(output) => Err(failed(output.stderr.trim().to_owned())),
        Err(HostError::CommandMissing { .. }) => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// What OpenSSH does without a configuration.
fn defaults(settings: &Ssh) -> Options {
    let keys = DEFAULT_KEYS.iter().map(ToString::to_string);
    let given = settings.identity_files.iter().map(|file| file.to_string_lossy().into_owned());
    Options {
        hostname: Some(settings.host.clone()),
        user: settings.user.clone(),
        port: settings.port,
        identity_files: if settings.identity_files.is_empty() {
            keys.collect()
        } else {
            given.collect()
        },
        ..Options::default()
    }
}

fn target(settings: &Ssh, options: Options) -> Result<Target, SshError> {
    let hostname = options.hostname.unwrap_or_else(|| settings.host.clone());
    check_word("a host", &hostname)?;
    let port = options.port.unwrap_or(22);
    let user = options.user.or_else(|| env::var("USER").ok()).unwrap_or_default();
    check_word("a user", &user)?;
    let unsupported =
        |option: &str| SshError::Unsupported { host: hostname.clone(), option: option.to_owned() };
    if options.proxy_use_fdpass && options.proxy_command.is_some() {
        return Err(unsupported("ProxyUseFdpass yes"));
    }
    if options.known_hosts_command.is_some() {
        log::warn!("KnownHostsCommand is set for {hostname}, and not asked");
    }
    let home = env::home_dir().unwrap_or_default();
    let tokens = Tokens {
        hostname: hostname.clone(),
        given: settings.host.clone(),
        port,
        user: user.clone(),
        key_name: options.host_key_alias.clone().unwrap_or_else(|| hostname.clone()),
        jump: options.proxy_jump.clone().unwrap_or_default(),
        home,
    };
    let paths = |files: &[String]| files.iter().map(|file| tokens.path(file)).collect::<Vec<_>>();
    let or_default = |files: &Option<Vec<String>>, default: [&str; 2]| match files {
        Some(files) => paths(files),
        None => default.iter().map(|file| tokens.path(file)).collect(),
    };
    let user_known_hosts = match &settings.known_hosts_file {
        Some(file) => vec![file.clone()],
        None => {
            or_default(&options.user_known_hosts, ["~/.ssh/known_hosts", "~/.ssh/known_hosts2"])
        }
    };
    let connect_timeout = settings
        .connect_timeout
        .or(options.connect_timeout.filter(|&seconds| seconds > 0).map(Duration::from_secs))
        .unwrap_or(Duration::from_secs(30));
    let asks = !options.batch_mode && settings.prompter.is_somebody();
    let proxy = match (&options.proxy_command, &options.proxy_jump) {
        (Some(command), _) => Some(Proxy::Command(tokens.expand(command))),
        (None, Some(jumps)) => {
            Some(Proxy::Jump(jump(settings, jumps, &hostname, port, connect_timeout, asks)?))
        }
        (None, None) => None,
    };
    Ok(Target {
        address_family: options.address_family.unwrap_or_else(|| "any".to_owned()),
        proxy,
        alias: options.host_key_alias,
        policy: settings
            .policy
            .unwrap_or_else(|| policy(options.strict_host_key_checking.as_deref())),
        user_known_hosts,
        global_known_hosts: or_default(
            &options.global_known_hosts,
            ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"],
        ),
        revoked_host_keys: options.revoked_host_keys.map(|file| tokens.path(&file)),
        hash_names: options.hash_known_hosts,
        identity_files: paths(&options.identity_files),
        certificate_files: paths(&options.certificate_files),
        identities_only: options.identities_only,
        agent: agent(options.identity_agent.as_deref(), &tokens),
        methods: methods(options.preferred_authentications, &options.disabled),
        control_path: options.control_path.filter(|_| settings.control_master).map(PathBuf::from),
        password_prompts: options.password_prompts.unwrap_or(3).max(1),
        asks,
        algorithms: Algorithms {
            host_key: options.host_key_algorithms,
            kex: options.kex_algorithms,
            ciphers: options.ciphers,
            macs: options.macs,
        },
        compression: options.compression,
        connect_timeout,
        keepalive: settings
            .keepalive
            .or(options.server_alive_interval.filter(|&s| s > 0).map(Duration::from_secs))
            .or(Some(Duration::from_secs(30)))
            .filter(|interval| !interval.is_zero()),
        hostname,
        port,
        user,
    })
}

/// `no` would take a changed key as well, which is never done here.
fn policy(strict: Option<&str>) -> HostKeyPolicy {
    match strict {
        Some("yes" | "true") => HostKeyPolicy::Reject,
        Some("accept-new") => HostKeyPolicy::Auto,
        _ => HostKeyPolicy::Warn,
    }
}

fn agent(configured: Option<&str>, tokens: &Tokens) -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    match configured {
        Some("none") => None,
        None | Some("SSH_AUTH_SOCK") => variable("SSH_AUTH_SOCK").map(PathBuf::from),
        Some(value) => match value.strip_prefix('$') {
            Some(name) if !name.starts_with('{') => variable(name).map(PathBuf::from),
            _ => Some(tokens.path(value)),
        },
    }
}

fn methods(preferred: Option<Vec<String>>, disabled: &[&str]) -> Vec<String> {
    let preferred = preferred.unwrap_or_else(|| METHODS.iter().map(ToString::to_string).collect());
    let usable = |method: &String| {
        METHODS.contains(&method.as_str()) && !disabled.contains(&method.as_str())
    };
    preferred.into_iter().filter(usable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_would_be_an_option_or_shell_text_is_refused() {
        for host in ["-oProxyCommand=touch x", "", "a b", "a;b", "$(id)", "a\nb", "`id`"] {
            let error = resolve(&Ssh::to(host)).unwrap_err();
            assert!(matches!(error, SshError::Setting { what: "a host", .. }), "{host:?}: {error}");
        }
        let error = resolve(&Ssh::to("localhost").user("-lroot")).unwrap_err();
        assert_eq!(error.to_string(), "`-lroot` cannot be a user: it would be taken for an option");
    }

    #[test]
    fn openssh_words_for_strictness_have_a_policy() {
        assert_eq!(policy(Some("true")), HostKeyPolicy::Reject);
        assert_eq!(policy(Some("accept-new")), HostKeyPolicy::Auto);
        for lax in [None, Some("ask"), Some("false"), Some("off")] {
            assert_eq!(policy(lax), HostKeyPolicy::Warn);
        }
    }
}
