//! The SSH agent.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use ssh2::{Agent, PublicKey, Session};

use super::super::deadline::within;
use super::super::stream::A_PERSON;

/// An agent that answers has done so by then.
const MOST: Duration = Duration::from_secs(5);

/// Connects to the agent at `socket` and returns it with its keys, or `None` if it took too long; the
/// session is then locked.
///
/// libssh2 knows no time limit here and keeps the session locked meanwhile, so a dead agent (one that was
/// forwarded over a connection that hangs, say) is found out before.
pub(super) fn open(
    session: &Session,
    socket: &Path,
    limit: Duration,
) -> Option<Result<(Agent, Vec<PublicKey>), String>> {
    let limit = limit.min(MOST);
    if let Err(error) = ask(socket, limit) {
        return Some(Err(error.to_string()));
    }
    let session = session.clone();
    let socket = socket.to_owned();
    let keys = move || {
        let mut agent = session.agent()?;
        agent.set_identity_path(&socket)?;
        agent.connect()?;
        agent.list_identities()?;
        let keys = agent.identities()?;
        Ok::<_, ssh2::Error>((agent, keys))
    };
    Some(within(limit, keys)?.map_err(|error| error.message().to_owned()))
}

/// What OpenSSH takes of an agent.
const MOST_BYTES: u64 = 256 * 1024;

/// Asks for the keys and waits for the answer.
fn ask(socket: &Path, limit: Duration) -> std::io::Result<()> {
    let socket = socket.to_owned();
    let ask = move || {
        let mut agent = UnixStream::connect(socket)?;
        agent.set_read_timeout(Some(limit))?;
        agent.set_write_timeout(Some(limit))?;
        // SSH_AGENTC_REQUEST_IDENTITIES
        agent.write_all(&[0, 0, 0, 1, 11])?;
        let mut length = [0; 4];
        agent.read_exact(&mut length)?;
        // Read to its end, or the agent would complain.
        let answer = agent.take(u32::from_be_bytes(length).into());
        std::io::copy(&mut answer.take(MOST_BYTES), &mut std::io::sink()).map(drop)
    };
    within(limit, ask).unwrap_or_else(|| Err(std::io::ErrorKind::TimedOut.into()))
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
