//! Where to connect to, and how.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use slurm_core::word_enum;
use zeroize::Zeroizing;

use super::prompt::{Nobody, Prompter};
use super::stream::A_PERSON;
use super::terminal::Terminal;

/// How a cluster's login node is reached over SSH.
///
/// The user's OpenSSH configuration holds, as for `ssh` itself: what is set here beats it, and what is
/// not set here comes from `ssh -G HOST`, with its aliases, users, ports, keys, known hosts, jump hosts
/// and proxy commands. Without an `ssh` program, OpenSSH's own defaults hold.
///
/// ```no_run
/// # mod slurm { pub use slurm_host::ssh::{HostKeyPolicy, Ssh}; pub mod error { pub use slurm_host::ssh::SshError; } }
/// use slurm::{HostKeyPolicy, Ssh};
///
/// let login = Ssh::to("login.example.org").user("me").host_key_policy(HostKeyPolicy::Reject);
/// let report = login.check()?;
/// println!("{} as {}, by {}", report.address(), report.user, report.method);
/// # Ok::<(), slurm::error::SshError>(())
/// ```
///
/// `Debug` shows no secret.
#[derive(Clone)]
#[must_use]
pub struct Ssh {
    pub(super) host: String,
    pub(super) user: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) identity_files: Vec<PathBuf>,
    pub(super) password: Password,
    pub(super) prompter: Arc<dyn Prompter>,
    pub(super) policy: Option<HostKeyPolicy>,
    pub(super) config_file: Option<PathBuf>,
    pub(super) known_hosts_file: Option<PathBuf>,
    pub(super) connect_timeout: Option<Duration>,
    pub(super) prompt_timeout: Duration,
    pub(super) control_master: bool,
    pub(crate) command_timeout: Duration,
    pub(super) keepalive: Option<Duration>,
    pub(crate) slurm_bin_dir: Option<String>,
    pub(crate) login_shell: bool,
}

impl Ssh {
    /// Returns the settings for a host: a name, an address, or an alias of `~/.ssh/config`; with
    /// `user@` before it, as that user.
    pub fn to(host: impl Into<String>) -> Self {
        let host = host.into();
        let (user, host) = match host.rsplit_once('@') {
            Some((user, host)) => (Some(user.to_owned()), host.to_owned()),
            None => (None, host),
        };
        Self {
            host,
            user,
            port: None,
            identity_files: Vec::new(),
            password: Password::default(),
            prompter: Arc::new(Terminal),
            policy: None,
            config_file: None,
            known_hosts_file: None,
            connect_timeout: None,
            prompt_timeout: A_PERSON,
            control_master: true,
            command_timeout: Duration::from_secs(180),
            keepalive: None,
            slurm_bin_dir: None,
            login_shell: false,
        }
    }

    /// Sets the user to log in as.
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Adds a file with a private key, as `ssh -i` does: it comes before those of the configuration, and
    /// takes the place of the default ones.
    pub fn identity_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.identity_files.push(file.into());
        self
    }

    /// Sets the password, for servers that ask for one.
    ///
    /// It is used once and wiped from memory when the connection is authenticated, in all clones of these
    /// settings; a later connection asks the [`prompter`](Self::prompter).
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Password::new(password.into());
        self
    }

    /// Sets who answers when a passphrase, a password or a one-time code is asked for: a function from a
    /// [`Prompt`](super::Prompt) to the answer, or anything else that is a [`Prompter`]. Without it, the
    /// user is asked on the terminal.
    pub fn prompter(mut self, prompter: impl Prompter + 'static) -> Self {
        self.prompter = Arc::new(prompter);
        self
    }

    /// Disables all questions, as `BatchMode=yes` does: methods that need an answer are not tried.
    pub fn no_prompts(mut self) -> Self {
        self.prompter = Arc::new(Nobody);
        self
    }

    /// Sets what happens with a host key that known_hosts does not have.
    ///
    /// Without it, OpenSSH's `StrictHostKeyChecking` decides: `yes` is [`Reject`](HostKeyPolicy::Reject),
    /// `accept-new` is [`Auto`](HostKeyPolicy::Auto), and anything else [`Warn`](HostKeyPolicy::Warn).
    pub fn host_key_policy(mut self, policy: HostKeyPolicy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// Reads this OpenSSH configuration instead of the user's and the system's, as `ssh -F` does.
    pub fn config_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.config_file = Some(file.into());
        self
    }

    /// Uses this file of known hosts instead of the user's. Those of the system still hold.
    pub fn known_hosts_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.known_hosts_file = Some(file.into());
        self
    }

    /// Sets how long each step of connecting may take: finding the address and connecting, the key
    /// exchange, each attempt to authenticate. Time in which a person is asked does not count.
    ///
    /// Without it, OpenSSH's `ConnectTimeout` holds, and without that 30 s.
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = Some(limit);
        self
    }

    /// Sets how long the answer to a question is waited for, 120 s unless set, as long as most servers wait for a
    /// login. A login whose question was not answered in time has failed, and for the next five minutes nothing
    /// is asked again: each login that begins may send a person a code or a push, and counts as an attempt.
    pub fn prompt_timeout(mut self, limit: Duration) -> Self {
        self.prompt_timeout = limit;
        self
    }

    /// Sets whether the connection of an OpenSSH master is used if there is one. By default it is.
    ///
    /// Where the configuration has a `ControlPath` and an `ssh` keeps a connection open there, no other login is
    /// needed: a second factor is asked for once, by `ssh`. That `ssh` has checked the host's key, as its own
    /// configuration says, and [`host_key_policy`](Self::host_key_policy) does not apply. The socket has to belong
    /// to this user. If the master does not answer or ends, the library makes a connection of its own.
    pub fn control_master(mut self, control_master: bool) -> Self {
        self.control_master = control_master;
        self
    }

    /// Sets how long a command on the host may take, 180 s unless set.
    pub fn command_timeout(mut self, limit: Duration) -> Self {
        self.command_timeout = limit;
        self
    }

    /// Sets how often a sign of life is sent over an idle connection; zero means never.
    ///
    /// Without it, OpenSSH's `ServerAliveInterval` holds, and without that 30 s.
    pub fn keepalive(mut self, interval: Duration) -> Self {
        self.keepalive = Some(interval);
        self
    }

    /// Sets the directory on the host that holds sbatch and the others, where the `PATH` of a shell that is
    /// no login shell lacks it.
    pub fn slurm_bin_dir(mut self, dir: impl Into<String>) -> Self {
        self.slurm_bin_dir = Some(dir.into());
        self
    }

    /// Runs everything on the host below a login shell, `bash -l`, which reads `/etc/profile` and the user's
    /// own profile: some sites set the `PATH` to Slurm only there.
    pub fn login_shell(mut self, login_shell: bool) -> Self {
        self.login_shell = login_shell;
        self
    }

    /// Returns the host as it was given.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}

impl From<&str> for Ssh {
    fn from(host: &str) -> Self {
        Self::to(host)
    }
}

impl From<String> for Ssh {
    fn from(host: String) -> Self {
        Self::to(host)
    }
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh")
            .field("host", &self.host)
            .field("user", &self.user)
            .field("port", &self.port)
            .field("identity_files", &self.identity_files)
            .field("password", &self.password)
            .field("policy", &self.policy)
            .field("config_file", &self.config_file)
            .field("known_hosts_file", &self.known_hosts_file)
            .field("connect_timeout", &self.connect_timeout)
            .field("prompt_timeout", &self.prompt_timeout)
            .field("control_master", &self.control_master)
            .field("command_timeout", &self.command_timeout)
            .field("keepalive", &self.keepalive)
            .field("slurm_bin_dir", &self.slurm_bin_dir)
            .field("login_shell", &self.login_shell)
            .finish_non_exhaustive()
    }
}

/// What happens with a host key that known_hosts does not have.
///
/// A key that differs from the known one, or that is revoked, is refused under every policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HostKeyPolicy {
    /// It is accepted and saved to the user's known_hosts.
    Auto,
    /// It is accepted and logged, with host, type and fingerprint.
    #[default]
    Warn,
    /// It is refused.
    Reject,
}

word_enum!(HostKeyPolicy, "policy", { Auto: "auto", Warn: "warn", Reject: "reject" });

/// A password that is there until it was used, shared by all clones of the settings.
#[derive(Clone, Default)]
pub(super) struct Password(Arc<Mutex<Option<Zeroizing<String>>>>);

impl Password {
    fn new(text: String) -> Self {
        Self(Arc::new(Mutex::new(Some(Zeroizing::new(text)))))
    }

    pub(super) fn get(&self) -> Option<Zeroizing<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn wipe(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.get().is_some() { "set" } else { "not set" })
    }
}
