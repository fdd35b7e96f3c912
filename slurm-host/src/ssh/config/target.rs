//! Everything that connecting needs to know.

use std::path::PathBuf;
use std::time::Duration;

use super::super::Master;
use super::super::settings::HostKeyPolicy;

/// A host with all that the settings and the configuration say about it, nothing left to expand.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The name or address to connect to.
    pub(in super::super) hostname: String,
    pub(in super::super) port: u16,
    pub(in super::super) user: String,
    /// `inet`, `inet6` or `any`.
    pub(in super::super) address_family: String,
    pub(in super::super) proxy: Option<Proxy>,
    /// The name in known_hosts that stands for the host, if it is not the host's own.
    pub(in super::super) alias: Option<String>,
    pub(in super::super) policy: HostKeyPolicy,
    pub(in super::super) user_known_hosts: Vec<PathBuf>,
    pub(in super::super) global_known_hosts: Vec<PathBuf>,
    pub(in super::super) revoked_host_keys: Option<PathBuf>,
    /// Whether names are hashed that are added to known_hosts.
    pub(in super::super) hash_names: bool,
    pub(in super::super) identity_files: Vec<PathBuf>,
    pub(in super::super) certificate_files: Vec<PathBuf>,
    pub(in super::super) identities_only: bool,
    pub(in super::super) agent: Option<PathBuf>,
    /// Methods of authentication, the preferred one first.
    pub(in super::super) methods: Vec<String>,
    /// The path of an OpenSSH master's socket, if masters are to be used.
    pub(in super::super) control_path: Option<PathBuf>,
    /// How often a person is asked the same thing.
    pub(in super::super) password_prompts: u32,
    pub(in super::super) asks: bool,
    pub(in super::super) algorithms: Algorithms,
    pub(in super::super) compression: bool,
    pub(in super::super) connect_timeout: Duration,
    pub(in super::super) keepalive: Option<Duration>,
}

/// What lies between.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Proxy {
    /// A line of shell, `ProxyCommand`.
    Command(String),
    /// The arguments of an `ssh -W`, for `ProxyJump`.
    Jump(Vec<String>),
}

/// The algorithms that the configuration allows, in its order; `None` leaves it to libssh2.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Algorithms {
    pub(in super::super) host_key: Option<Vec<String>>,
    pub(in super::super) kex: Option<Vec<String>>,
    pub(in super::super) ciphers: Option<Vec<String>>,
    pub(in super::super) macs: Option<Vec<String>>,
}

impl Target {
    /// Returns the name under which known_hosts has the host.
    pub(in super::super) fn key_name(&self) -> String {
        match &self.alias {
            Some(alias) => alias.to_lowercase(),
            None if self.port == 22 => self.hostname.to_lowercase(),
            None => format!("[{}]:{}", self.hostname.to_lowercase(), self.port),
        }
    }

    /// Returns the name that also counts: OpenSSH takes a key that is known without a port for any port.
    pub(in super::super) fn portless_name(&self) -> Option<String> {
        (self.alias.is_none() && self.port != 22).then(|| self.hostname.to_lowercase())
    }

    /// Turns OpenSSH masters off.
    pub(crate) fn pass_over(&self, master: &Master, why: &str) {
        log::warn!(
            "the connection that OpenSSH keeps for {} at {} cannot be used, connecting without it: {why}",
            self.name(),
            master.socket().display()
        );
    }

    /// Returns the host for messages.
    pub(in super::super) fn name(&self) -> String {
        if self.port == 22 {
            self.hostname.clone()
        } else {
            format!("{} port {}", self.hostname, self.port)
        }
    }
}
