//! Trying a connection out.

use super::config::Target;
use super::{Master, Ssh, connect, find};
use crate::error::SshError;

/// What a connection agreed on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// The name or address that was connected to.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The user that is logged in.
    pub user: String,
    /// The type of the host key: `ED25519`, `ECDSA`, `RSA`. Empty on the connection of an OpenSSH master, which has
    /// checked the key itself; `fingerprint` and `server` are empty then, too.
    pub key_type: String,
    /// The fingerprint of the host key, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// How the user was authenticated, as in `publickey (agent: me@laptop)` or `OpenSSH master (/home/me/.ssh/cm)`.
    pub method: String,
    /// How the server introduces itself.
    pub server: String,
    /// Whether a jump host or a proxy command lies between.
    pub proxied: bool,
}

impl Report {
    fn of_master(target: &Target, master: &Master) -> Self {
        Self {
            host: target.hostname.clone(),
            port: target.port,
            user: target.user.clone(),
            key_type: String::new(),
            fingerprint: String::new(),
            method: format!("OpenSSH master ({})", master.socket().display()),
            server: String::new(),
            proxied: target.proxy.is_some(),
        }
    }

    /// Returns host and port.
    pub fn address(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl Ssh {
    /// Connects, logs in, and breaks off: tells whether these settings work, and what they come to.
    ///
    /// # Errors
    ///
    /// Whatever keeps them from working.
    pub fn check(&self) -> Result<Report, SshError> {
        let target = find(self)?;
        if let Some(master) = Master::of(&target) {
            match master.check() {
                Ok(()) => return Ok(Report::of_master(&target, &master)),
                Err(why) => target.pass_over(&master, &why),
            }
        }
        let connection = connect(self, &target)?;
        let report = connection.report.clone();
        // A host that is gone by now must not keep us.
        connection.session.set_timeout(1000);
        let _ = connection.session.disconnect(None, "bye", None);
        Ok(report)
    }
}
