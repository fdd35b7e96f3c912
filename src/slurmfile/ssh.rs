//! The section `cluster.ssh`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use slurm_host::ssh::{HostKeyPolicy, Ssh};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reader::Reader;

/// The settings of the section `cluster.ssh`. The user's OpenSSH configuration supplies missing ones. Each
/// setting has the meaning of the method of [`Ssh`] with the same name. There is no password, because it would
/// be in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SshSection {
    /// A name, an address or an alias of `~/.ssh/config`.
    pub host: Option<String>,
    /// The user to log in as.
    pub user: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// Files with private keys: `identity_file`, one or a list.
    pub identity_files: Vec<PathBuf>,
    /// The policy for unknown host keys.
    pub host_key_policy: Option<HostKeyPolicy>,
    /// The OpenSSH configuration to read.
    pub config_file: Option<PathBuf>,
    /// The user's file of known hosts.
    pub known_hosts_file: Option<PathBuf>,
    /// The time limit of each step of connecting.
    pub connect_timeout: Option<Duration>,
    /// The time limit of a command.
    pub command_timeout: Option<Duration>,
    /// The interval of keepalive messages; zero means none.
    pub keepalive: Option<Duration>,
    /// Whether the user may be asked for passphrases, passwords and codes.
    pub prompts: Option<bool>,
    /// The time limit for the answer to such a question.
    pub prompt_timeout: Option<Duration>,
    /// Whether the connection of an OpenSSH master is used.
    pub control_master: Option<bool>,
    /// The directory with Slurm's commands.
    pub slurm_bin_dir: Option<String>,
    /// Whether all commands run below a login shell.
    pub login_shell: Option<bool>,
}

/// All keys, in the order of the documentation.
pub(super) const KEYS: &[&str] = &[
    "host",
    "user",
    "port",
    "identity_file",
    "host_key_policy",
    "config_file",
    "known_hosts_file",
    "connect_timeout",
    "command_timeout",
    "keepalive",
    "prompts",
    "prompt_timeout",
    "control_master",
    "slurm_bin_dir",
    "login_shell",
];

impl SshSection {
    /// Returns the settings, if a host is named.
    pub fn settings(&self) -> Option<Ssh> {
        let mut ssh = Ssh::to(self.host.as_deref()?);
        macro_rules! pass {
            ($($field:ident),*) => {
                $(if let Some(value) = self.$field.clone() { ssh = ssh.$field(value); })*
            };
        }
        pass!(user, port, host_key_policy, connect_timeout, command_timeout, keepalive);
        pass!(prompt_timeout, control_master, slurm_bin_dir, login_shell);
        for file in &self.identity_files {
            ssh = ssh.identity_file(of_home(file));
        }
        if let Some(file) = &self.config_file {
            ssh = ssh.config_file(of_home(file));
        }
        if let Some(file) = &self.known_hosts_file {
            ssh = ssh.known_hosts_file(of_home(file));
        }
        Some(if self.prompts == Some(false) { ssh.no_prompts() } else { ssh })
    }

    /// Returns this section with the settings of `over` over it.
    pub(super) fn under(mut self, over: &Self) -> Self {
        macro_rules! over {
            ($($field:ident),*) => {
                $(if over.$field.is_some() { self.$field.clone_from(&over.$field); })*
            };
        }
        over!(host, user, port, host_key_policy, config_file, known_hosts_file, connect_timeout);
        over!(
            command_timeout,
            keepalive,
            prompts,
            prompt_timeout,
            control_master,
            slurm_bin_dir,
            login_shell
        );
        if !over.identity_files.is_empty() {
            self.identity_files.clone_from(&over.identity_files);
        }
        self
    }
}

/// `~` is the home directory of this machine, where these files are.
fn of_home(file: &Path) -> PathBuf {
    match (file.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => file.to_owned(),
    }
}

impl<'a> Reader<'a> {
    pub(super) fn ssh(&mut self, table: &DeTable<'a>) -> SshSection {
        let mut section = SshSection::default();
        for (name, value) in table {
            let file = |reader: &mut Self| reader.path(value, "a file");
            match name.get_ref().as_ref() {
                "host" => section.host = self.text(value, "a host"),
                "user" => section.user = self.text(value, "a user"),
                "port" => section.port = self.number(value, "a port"),
                "identity_file" => section.identity_files = self.files(value),
                "host_key_policy" => {
                    section.host_key_policy = self.word(value, "a policy");
                }
                "config_file" => section.config_file = file(self),
                "known_hosts_file" => section.known_hosts_file = file(self),
                "connect_timeout" => section.connect_timeout = self.seconds(value),
                "command_timeout" => section.command_timeout = self.seconds(value),
                "keepalive" => section.keepalive = self.seconds(value),
                "prompts" => section.prompts = self.boolean(value),
                "prompt_timeout" => section.prompt_timeout = self.seconds(value),
                "control_master" => section.control_master = self.boolean(value),
                "slurm_bin_dir" => section.slurm_bin_dir = self.text(value, "a directory"),
                "login_shell" => section.login_shell = self.boolean(value),
                "password" => {
                    let message =
                        "remove the password: a file is not safe for it, and you are asked for it";
                    self.problem(name.span(), message);
                }
                other => self.unknown(name.span(), "setting", other, KEYS),
            }
        }
        section
    }

    fn files(&mut self, value: &Spanned<DeValue<'a>>) -> Vec<PathBuf> {
        match value.get_ref() {
            DeValue::Array(items) => {
                items.iter().filter_map(|item| self.path(item, "a file")).collect()
            }
            _ => self.path(value, "a file").into_iter().collect(),
        }
    }

    fn seconds(&mut self, value: &Spanned<DeValue<'a>>) -> Option<Duration> {
        self.number(value, "a time in seconds").map(Duration::from_secs)
    }

    fn boolean(&mut self, value: &Spanned<DeValue<'a>>) -> Option<bool> {
        match value.get_ref() {
            DeValue::Boolean(set) => Some(*set),
            _ => {
                self.problem(value.span(), "this must be `true` or `false`");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::model::BackendKind;
    use crate::slurmfile::Slurmfile;

    #[test]
    fn every_setting_can_be_set_and_overridden() {
        let values = [
            "'login'",
            "'me'",
            "22",
            "['~/a', '/b']",
            "'reject'",
            "'/c'",
            "'/k'",
            "5",
            "60",
            "0",
            "false",
            "45",
            "false",
            "'/opt/slurm/bin'",
            "true",
        ];
        let lines: Vec<_> =
            KEYS.iter().zip(values).map(|(key, value)| format!("{key} = {value}")).collect();
        let text = format!(
            "[default.cluster]\nbackend = 'ssh'\n[default.cluster.ssh]\n{}\n[b.cluster.ssh]\nhost = 'other'\nidentity_file = '/d'\n",
            lines.join("\n")
        );
        let file = Slurmfile::parse(&text, "Slurmfile").unwrap();
        let environment = file.environment("default").unwrap();
        assert_eq!(environment.backend, Some(BackendKind::Ssh));
        let shown = format!("{:?}", environment.ssh.settings().unwrap());
        for part in
            ["login", "\"me\"", "22", "/a\"", "/b", "Reject", "/c", "/k", "5s", "60s", "Some(0ns)"]
        {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        for part in
            ["prompt_timeout: 45s", "control_master: false", "/opt/slurm/bin", "login_shell: true"]
        {
            assert!(shown.contains(part), "{part} in {shown}");
        }
        let other = file.environment("b").unwrap().ssh;
        assert_eq!(other.host.as_deref(), Some("other"));
        assert_eq!((other.identity_files, other.port), (vec![PathBuf::from("/d")], Some(22)));
    }

    #[test]
    fn mistakes_are_reported_with_their_places() {
        let text = "[default.cluster.ssh]\nprot = 1\nport = 70000\nhost_key_policy = 'none'\npassword = 'x'\nlogin_shell = 1\n";
        let Err(Error::Slurmfile(error)) = Slurmfile::parse(text, "Slurmfile") else {
            panic!("not refused")
        };
        let told = error.to_string();
        for part in [
            "2:1: unknown setting `prot`; did you mean `port`?",
            "3:8: a port is a whole number",
            "4:19: unknown policy `none`",
            "5:1: remove the password",
            "6:15: this must be `true` or `false`",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
}
