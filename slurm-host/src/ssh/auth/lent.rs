//! Certificates whose keys are in the agent.
//!
//! libssh2 offers the identities that the agent lists, and asks the agent to sign under the same name. An agent with
//! the plain key does not know a certificate on the disk. So libssh2 is connected to a socket of our own, which lists
//! the certificate and passes each request to sign on under the name of the key.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use memchr::memmem;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::agent::{IDENTITIES_ANSWER, Key, REQUEST_IDENTITIES, read_message, write_message};
use super::certificate::is_certificate;
use super::wire::{number, put, string};

const SIGN_REQUEST: u8 = 13;
const FAILURE: u8 = 5;
const RSA_SHA2_256: u32 = 2;
const RSA_SHA2_512: u32 = 4;

/// libssh2 connects at once.
const CONNECTS: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// A signature may need a person, who confirms it or touches a token.
const SIGNS: Duration = Duration::from_secs(300);

/// The certificate that the server sees, and the agent's key that signs for it.
#[derive(Clone, Debug)]
pub(super) struct Lent {
    pub(super) public: Vec<u8>,
    pub(super) key: Key,
}

impl Lent {
    /// Returns whether libssh2 and the agent cannot do it between them.
    pub(super) fn needs_help(&self) -> bool {
        // For a certificate libssh2 does not say which hash an RSA key has to sign with.
        self.public != self.key.blob || is_certificate(&self.public)
    }
}

/// A socket that stands for the agent; nothing is left of it once libssh2 is connected.
#[derive(Debug)]
pub(super) struct Door {
    dir: PathBuf,
    socket: PathBuf,
}

impl Door {
    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
        let _ = fs::remove_dir(&self.dir);
    }
}

/// Serves one connection, on a thread of its own, until it ends.
pub(super) fn lend(agent: &Path, lent: Vec<Lent>) -> io::Result<Door> {
    let dir = private_dir()?;
    let socket = dir.join("agent");
    let door = Door { dir, socket };
    let listener = UnixListener::bind(&door.socket)?;
    let agent = agent.to_owned();
    thread::Builder::new().name("slurm-ssh".to_owned()).spawn(move || {
        let came = poll(&mut [PollFd::new(&listener, PollFlags::IN)], Some(&CONNECTS));
        if !matches!(came, Ok(1..)) {
            return;
        }
        let Ok((client, _)) = listener.accept() else { return };
        if let Err(error) = serve(client, &agent, &lent)
            && error.kind() != io::ErrorKind::UnexpectedEof
        {
            log::debug!("the agent at {} is no longer asked: {error}", agent.display());
        }
    })?;
    Ok(door)
}

/// Returns a new directory for this user alone.
fn private_dir() -> io::Result<PathBuf> {
    let name = format!("slurm-sdk-{:016x}", fastrand::u64(..));
    let mut builder = DirBuilder::new();
    builder.mode(0o700);
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    for parent in runtime.into_iter().chain([std::env::temp_dir(), PathBuf::from("/tmp")]) {
        let dir = parent.join(&name);
        // The name of a socket has 107 bytes at most.
        if dir.as_os_str().len() > 95 {
            continue;
        }
        match builder.create(&dir) {
            Ok(()) => return Ok(dir),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn serve(mut client: UnixStream, agent: &Path, lent: &[Lent]) -> io::Result<()> {
    loop {
        let request = read_message(&mut client)?;
        let answer = match request.first() {
            Some(&REQUEST_IDENTITIES) => list(lent),
            Some(&SIGN_REQUEST) => match translate(&request[1..], lent) {
                Some(request) => pass_on(agent, &request)?,
                None => vec![FAILURE],
            },
            _ => vec![FAILURE],
        };
        write_message(&mut client, &answer)?;
    }
}

fn list(lent: &[Lent]) -> Vec<u8> {
    let mut answer = vec![IDENTITIES_ANSWER];
    answer.extend(u32::try_from(lent.len()).unwrap_or(u32::MAX).to_be_bytes());
    for lent in lent {
        put(&mut answer, &lent.public);
        put(&mut answer, lent.key.comment.as_bytes());
    }
    answer
}

/// Puts the key's own name into a request to sign.
fn translate(request: &[u8], lent: &[Lent]) -> Option<Vec<u8>> {
    let mut rest = request;
    let public = string(&mut rest)?;
    let data = string(&mut rest)?;
    let mut flags = number(&mut rest)?;
    let lent = lent.iter().find(|lent| lent.public == public)?;
    if is_certificate(public) {
        // The request that is signed names the algorithm.
        let says = |algorithm: &str| memmem::find(data, algorithm.as_bytes()).is_some();
        if says("rsa-sha2-512-cert-v01@openssh.com") {
            flags = RSA_SHA2_512;
        } else if says("rsa-sha2-256-cert-v01@openssh.com") {
            flags = RSA_SHA2_256;
        }
    }
    let mut translated = vec![SIGN_REQUEST];
    put(&mut translated, &lent.key.blob);
    put(&mut translated, data);
    translated.extend(flags.to_be_bytes());
    Some(translated)
}

fn pass_on(agent: &Path, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut agent = UnixStream::connect(agent)?;
    agent.set_read_timeout(Some(SIGNS))?;
    agent.set_write_timeout(Some(SIGNS))?;
    write_message(&mut agent, request)?;
    read_message(&mut agent)
}
