//! What the session talks through: a TCP connection, or a proxy command.

mod proxy;
mod tcp;

use std::io;
use std::net::TcpStream;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Session};

use proxy::ProxyStream;
pub(super) use proxy::Stderr;

use super::config::Target;
use crate::error::SshError;

/// What a session talks through. The connection ends with the last clone.
#[derive(Clone)]
pub(crate) struct Stream(Arc<Kind>);

enum Kind {
    Tcp(TcpStream),
    Proxy(ProxyStream),
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &*self.0 {
            Kind::Tcp(stream) => stream.as_fd(),
            Kind::Proxy(stream) => stream.as_fd(),
        }
    }
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl Stream {
    /// Opens the way to the target.
    pub(super) fn open(target: &Target) -> Result<Self, SshError> {
        let kind = match &target.proxy {
            Some(proxy) => Kind::Proxy(ProxyStream::open(target, proxy)?),
            None => Kind::Tcp(tcp::open(target)?),
        };
        Ok(Self(Arc::new(kind)))
    }

    /// Returns how long the first words of the server may take. Behind a proxy, a person may be asked for
    /// something first.
    pub(super) fn patience(&self, target: &Target) -> Duration {
        match *self.0 {
            Kind::Proxy(_) if target.asks => target.connect_timeout + A_PERSON,
            _ => target.connect_timeout,
        }
    }

    /// Returns what a proxy has to say about a connection that failed.
    pub(super) fn stderr(&self) -> Option<Stderr> {
        match &*self.0 {
            Kind::Proxy(proxy) => Some(proxy.stderr()),
            Kind::Tcp(_) => None,
        }
    }

    /// Waits until a session that does not block can go on, and returns whether it can.
    pub(crate) fn wait(&self, session: &Session, limit: Duration) -> io::Result<bool> {
        let flags = match session.block_directions() {
            BlockDirections::Outbound => PollFlags::OUT,
            BlockDirections::Both => PollFlags::IN | PollFlags::OUT,
            BlockDirections::Inbound | BlockDirections::None => PollFlags::IN,
        };
        let timeout = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        match poll(&mut [PollFd::new(self, flags)], Some(&timeout)) {
            Ok(ready) => Ok(ready > 0),
            // EINTR: treat as readiness and check again.
            Err(rustix::io::Errno::INTR) => Ok(true),
            Err(error) => Err(error.into()),
        }
    }
}

/// How long a person may take who is asked by a program that we do not control. sshd waits as long.
pub(super) const A_PERSON: Duration = Duration::from_secs(120);
