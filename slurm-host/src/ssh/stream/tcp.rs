//! TCP, with a time limit on the name as well.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Instant;

use rustix::net::sockopt;

use super::super::config::Target;
use super::super::deadline::within;
use crate::error::SshError;

/// Connects to the first of the host's addresses that answers.
pub(super) fn open(target: &Target) -> Result<TcpStream, SshError> {
    let deadline = Instant::now() + target.connect_timeout;
    let addresses = addresses(target)?;
    let mut last = None;
    for (index, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        // A dead address must leave time for those after it.
        let share = u32::try_from(addresses.len() - index).unwrap_or(1);
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(address, left / share) {
            Ok(stream) => return ready(target, stream),
            Err(error) => {
                log::debug!("cannot connect to {address}: {error}");
                last = Some(error);
            }
        }
    }
    match last {
        Some(error) if error.kind() != io::ErrorKind::TimedOut => Err(failed(target, error)),
        _ => Err(SshError::Timeout {
            host: target.name(),
            step: "connecting",
            limit: target.connect_timeout,
        }),
    }
}

fn addresses(target: &Target) -> Result<Vec<SocketAddr>, SshError> {
    let wanted = (target.hostname.clone(), target.port);
    // The resolver has no time limit that could be set.
    let found = within(target.connect_timeout, move || {
        wanted.to_socket_addrs().map(Iterator::collect::<Vec<_>>)
    });
    let not_found = |source| SshError::Address { host: target.hostname.clone(), source };
    let mut addresses = found
        .ok_or_else(|| SshError::Timeout {
            host: target.name(),
            step: "looking up the address",
            limit: target.connect_timeout,
        })?
        .map_err(not_found)?;
    match target.address_family.as_str() {
        "inet" => addresses.retain(SocketAddr::is_ipv4),
        "inet6" => addresses.retain(SocketAddr::is_ipv6),
        _ => {}
    }
    if addresses.is_empty() {
        return Err(not_found(io::Error::other("it has none of the address family asked for")));
    }
    Ok(addresses)
}

fn ready(target: &Target, stream: TcpStream) -> Result<TcpStream, SshError> {
    let ready = || {
        // Requests are small, and each waits for its answer.
        stream.set_nodelay(true)?;
        sockopt::set_socket_keepalive(&stream, true)?;
        Ok(())
    };
    ready().map_err(|error| failed(target, error))?;
    Ok(stream)
}

fn failed(target: &Target, source: io::Error) -> SshError {
    SshError::Connect { host: target.hostname.clone(), port: target.port, source }
}
