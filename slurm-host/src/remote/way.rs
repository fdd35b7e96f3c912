//! The transport of lanes: a session of our own, or the connection of an OpenSSH master.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use ssh2::{BlockDirections, Session};

use super::lane::Lane;
use crate::ssh::{Connection, Master, MasterChannel, Stream};

/// The way to the host.
pub(super) enum Way {
    Session {
        session: Session,
        stream: Stream,
        keepalive: Option<Duration>,
        /// When the server last said anything.
        heard: Instant,
    },
    /// The master looks after itself.
    Master(Master),
}

impl From<Connection> for Way {
    fn from(connection: Connection) -> Self {
        connection.session.set_blocking(false);
        Self::Session {
            session: connection.session,
            stream: connection.stream,
            keepalive: connection.keepalive,
            heard: Instant::now(),
        }
    }
}

impl From<Master> for Way {
    fn from(master: Master) -> Self {
        Self::Master(master)
    }
}

impl Way {
    /// Returns whether the last error concerns the connection and not a channel.
    pub(super) fn is_gone(&self) -> bool {
        let Self::Session { session, .. } = self else { return false };
        // LIBSSH2_ERROR_SOCKET_SEND, _SOCKET_DISCONNECT and _SOCKET_RECV
        let codes = [-7, -13, -43].map(ssh2::ErrorCode::Session);
        ssh2::Error::last_session_error(session).is_some_and(|error| codes.contains(&error.code()))
    }

    /// Sends a sign of life, and fails if none has come for long.
    pub(super) fn keep_alive(&self) -> Result<(), String> {
        let Self::Session { session, keepalive: Some(keepalive), heard, .. } = self else {
            return Ok(());
        };
        match session.keepalive_send() {
            Err(error) if !would_block(&error) => return Err(error.to_string()),
            _ => {}
        }
        let patience = (*keepalive * 3).max(Duration::from_secs(5));
        if heard.elapsed() > patience {
            return Err(format!("no sign of life for {} s", patience.as_secs()));
        }
        Ok(())
    }

    /// Waits until something can be read or written, `woken` can be read, or the limit is over; returns whether
    /// `woken` can.
    pub(super) fn wait(
        &mut self,
        lanes: &[Lane],
        woken: &impl AsFd,
        limit: Duration,
    ) -> io::Result<bool> {
        let mut fds = vec![PollFd::new(woken, PollFlags::IN)];
        match self {
            Self::Session { session, stream, .. } => {
                let mut wanted = PollFlags::IN;
                if matches!(
                    session.block_directions(),
                    BlockDirections::Outbound | BlockDirections::Both
                ) {
                    wanted |= PollFlags::OUT;
                }
                fds.push(PollFd::new(stream, wanted));
            }
            Self::Master(_) => {
                for lane in lanes {
                    let Channel::Master(channel) = &lane.channel else { continue };
                    let (streams, errors) = channel.fds();
                    let writes = lane.has_to_write();
                    let wanted =
                        if writes { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
                    fds.push(PollFd::from_borrowed_fd(streams, wanted));
                    fds.extend(errors.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
                }
            }
        }
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: limit.subsec_nanos().into(),
        };
        match poll(&mut fds, Some(&limit)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |fd: &PollFd<'_>| !fd.revents().is_empty();
        let (is_woken, is_heard) = (is_ready(&fds[0]), fds.get(1).is_some_and(is_ready));
        if let Self::Session { heard, .. } = self
            && is_heard
        {
            *heard = Instant::now();
        }
        Ok(is_woken)
    }
}

/// A command that runs on the host. Nothing of it blocks.
pub(super) enum Channel {
    Session(ssh2::Channel),
    Master(MasterChannel),
}

impl Channel {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Session(channel) => channel.write(bytes),
            Self::Master(channel) => channel.write(bytes),
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Session(channel) => channel.read(buffer),
            Self::Master(channel) => channel.read(buffer),
        }
    }

    pub(super) fn read_stderr(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Session(channel) => channel.stderr().read(buffer),
            Self::Master(channel) => channel.read_stderr(buffer),
        }
    }

    /// Returns whether the command says nothing any more.
    pub(super) fn eof(&self) -> bool {
        match self {
            Self::Session(channel) => channel.eof(),
            Self::Master(channel) => channel.eof(),
        }
    }

    /// Returns whether a command that has ended did so because its connection is gone.
    pub(super) fn is_gone(&mut self) -> bool {
        match self {
            Self::Session(_) => false,
            Self::Master(channel) => channel.is_gone(),
        }
    }
}

pub(super) fn would_block(error: &ssh2::Error) -> bool {
    // LIBSSH2_ERROR_EAGAIN
    error.code() == ssh2::ErrorCode::Session(-37)
}
