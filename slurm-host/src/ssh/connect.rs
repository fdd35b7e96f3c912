//! From settings to an authenticated session.

use std::fmt;
use std::time::Duration;

use ssh2::Session;

use super::Report;
use super::auth::authenticate;
use super::config::{Target, resolve};
use super::deadline::milliseconds;
use super::handshake::{handshake, protocol};
use super::host_key::{self, HostKey};
use super::known_hosts::KnownHosts;
use super::prompt::printable;
use super::settings::Ssh;
use super::stream::Stream;
use crate::error::SshError;

/// An authenticated session. The way to the host, a proxy command too, ends with it.
pub(crate) struct Connection {
    /// Blocking, with `command_timeout` as its time limit.
    ///
    /// A blocking call of libssh2 that waits longer than the keepalive interval reports a timeout (-9) when
    /// it has sent a sign of life: whoever waits longer does so without blocking, with [`Session::keepalive_send`].
    pub(crate) session: Session,
    /// What the session talks through, to wait on.
    pub(crate) stream: Stream,
    /// How often the session sends a sign of life.
    pub(crate) keepalive: Option<Duration>,
    /// What was agreed on.
    pub(crate) report: Report,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("report", &self.report).finish_non_exhaustive()
    }
}

/// Finds out everything about a host before anything is connected.
///
/// # Errors
///
/// If the settings or the configuration cannot be used.
pub(crate) fn find(settings: &Ssh) -> Result<Target, SshError> {
    resolve(settings)
}

/// Connects to a host, checks that it is who it says, and logs in.
///
/// # Errors
///
/// Every step has its own; see [`SshError`].
pub(crate) fn connect(settings: &Ssh, target: &Target) -> Result<Connection, SshError> {
    // Before anything is connected: a file that cannot be read must not cost a login.
    let known = KnownHosts::read(target)?;
    let stream = Stream::open(target)?;
    let session = handshake(target, &known, &stream)?;
    let key = host_key::check(target, &known, &session)?;
    let result = authenticate(target, settings, &session, &stream);
    if let Ok(Some(banner)) = session.userauth_banner().map(|banner| banner.map(printable)) {
        log::info!("{} says: {}", target.name(), banner.trim_end());
    }
    let method = result?;
    settings.password.wipe();
    session.set_timeout(milliseconds(settings.command_timeout));
    if let Some(interval) = target.keepalive {
        let seconds = u32::try_from(interval.as_secs()).unwrap_or(u32::MAX).max(1);
        session.set_keepalive(true, seconds);
    }
    let report = report(target, &key, method, &session);
    log::info!(
        "connected to {} as {} by {}, host key {} {}",
        target.name(),
        target.user,
        report.method,
        key.key_type,
        key.fingerprint
    );
    Ok(Connection { session, stream, keepalive: target.keepalive, report })
}

fn report(target: &Target, key: &HostKey, method: String, session: &Session) -> Report {
    Report {
        host: target.hostname.clone(),
        port: target.port,
        user: target.user.clone(),
        key_type: key.key_type.clone(),
        fingerprint: key.fingerprint.clone(),
        method,
        server: session.banner().unwrap_or_default().to_owned(),
        proxied: target.proxy.is_some(),
    }
}

/// Names the step of an error of libssh2 on a session that is connected.
pub(super) fn lost(target: &Target, error: &ssh2::Error) -> SshError {
    protocol(target, "logging in", error)
}
