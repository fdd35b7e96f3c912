//! The SSH agent.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use ssh2::{Agent, PublicKey, Session};

use super::super::deadline::within;
use super::super::stream::A_PERSON;
use super::identities::{Candidate, Holder};
use super::lent::{Lent, lend};
use super::wire::{number, string};

/// An agent that answers has done so by then.
const MOST: Duration = Duration::from_secs(5);

/// OpenSSH's limit on the answer of an agent.
const MOST_BYTES: u32 = 256 * 1024;

pub(super) const REQUEST_IDENTITIES: u8 = 11;
pub(super) const IDENTITIES_ANSWER: u8 = 12;

/// A key or a certificate that an agent has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) blob: Vec<u8>,
    pub(super) comment: String,
}

/// Asks the agent at `socket` for its keys.
///
/// libssh2 would ask without a time limit and keep the session locked meanwhile, and dead agents are not rare (an
/// agent forwarded over a connection that hangs, for example).
pub(super) fn keys(socket: &Path, limit: Duration) -> io::Result<Vec<Key>> {
    let limit = limit.min(MOST);
    let socket = socket.to_owned();
    let ask = move || {
        let mut agent = UnixStream::connect(socket)?;
        agent.set_read_timeout(Some(limit))?;
        agent.set_write_timeout(Some(limit))?;
        write_message(&mut agent, &[REQUEST_IDENTITIES])?;
        let answer = read_message(&mut agent)?;
        parse(&answer).ok_or_else(|| io::Error::other("it answers what cannot be understood"))
    };
    within(limit, ask).unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
}

fn parse(answer: &[u8]) -> Option<Vec<Key>> {
    let (&IDENTITIES_ANSWER, mut rest) = answer.split_first()? else { return None };
    let count = number(&mut rest)?;
    let mut keys = Vec::new();
    for _ in 0..count {
        let blob = string(&mut rest)?.to_vec();
        let comment = String::from_utf8_lossy(string(&mut rest)?).into_owned();
        keys.push(Key { blob, comment });
    }
    Some(keys)
}

pub(super) fn write_message(stream: &mut UnixStream, message: &[u8]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(message.len() + 4);
    super::wire::put(&mut bytes, message);
    stream.write_all(&bytes)
}

pub(super) fn read_message(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if length > MOST_BYTES {
        return Err(io::Error::other("an agent's message is too long"));
    }
    let mut message = vec![0; usize::try_from(length).unwrap_or_default()];
    stream.read_exact(&mut message)?;
    Ok(message)
}

/// Connects libssh2 to the agent at `socket`, for the candidates whose keys it has, or returns `None` if that took
/// too long; the session is then locked.
pub(super) fn open(
    session: &Session,
    socket: &Path,
    candidates: &[Candidate],
    limit: Duration,
) -> Option<Result<(Agent, Vec<PublicKey>), String>> {
    let mut lent = Vec::new();
    for candidate in candidates {
        if let (Holder::Agent(key), Some(public)) = (&candidate.holder, &candidate.public) {
            lent.push(Lent { public: public.clone(), key: key.clone() });
        }
    }
    // libssh2 offers a key under the name that the agent has for it, and no other.
    let door = match lent.iter().any(Lent::needs_help).then(|| lend(socket, lent)).transpose() {
        Ok(door) => door,
        Err(error) => return Some(Err(format!("certificates cannot be signed for: {error}"))),
    };
    let session = session.clone();
    let socket = door.as_ref().map_or(socket, |door| door.socket()).to_owned();
    let keys = move || {
        let mut agent = session.agent()?;
        agent.set_identity_path(&socket)?;
        agent.connect()?;
        agent.list_identities()?;
        let keys = agent.identities()?;
        Ok::<_, ssh2::Error>((agent, keys))
    };
    Some(within(limit.min(MOST), keys)?.map_err(|error| error.message().to_owned()))
}

/// Lets the agent sign, which may take a person's time: some ask for a confirmation or a touch.
///
/// Returns the agent again, and the result, or `None` if it took too long; the session is then locked.
pub(super) fn sign(
    agent: Agent,
    user: &str,
    key: PublicKey,
    limit: Duration,
) -> Option<(Agent, Result<(), ssh2::Error>)> {
    let user = user.to_owned();
    within(limit + A_PERSON, move || {
        let result = agent.userauth(&user, &key);
        (agent, result)
    })
}
