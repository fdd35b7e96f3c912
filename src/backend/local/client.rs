//! The client's end: find the supervisor, or start it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use slurm_core::backoff::Backoff;

use super::capacity::Capacity;
use super::protocol::{Address, PROTOCOL, Place, Reply, Request};
use super::start::{self, Starter};

/// A connection to the supervisor, made when it is first needed and made again when it is lost.
#[derive(Debug)]
pub(super) struct Client {
    place: Place,
    capacity: Capacity,
    connection: Mutex<Option<BufReader<UnixStream>>>,
}

/// How long a supervisor may take to answer its first call.
const START: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// How many supervisors may die under a request, or for how long they may.
const ATTEMPTS: u32 = 4;
const DYING: Duration = Duration::from_secs(30);

/// Why a request was not answered.
#[derive(Debug)]
pub(super) struct NoAnswer {
    pub(super) message: String,
    /// The request may have been carried out nevertheless.
    pub(super) may_be_done: bool,
}

impl Client {
    pub(super) fn new(job_base_dir: &Path, capacity: Capacity) -> Self {
        Self { place: Place::new(job_base_dir), capacity, connection: Mutex::new(None) }
    }

    /// Asks the supervisor. Every request may be repeated without harm, so one whose connection broke is.
    pub(super) fn ask(&self, request: &Request) -> Result<Reply, NoAnswer> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut backoff = Backoff::new(Duration::from_millis(2), Duration::from_millis(64));
        let mut attempts = 0;
        let mut may_be_done = false;
        loop {
            let no_answer = |message| NoAnswer { message, may_be_done };
            let mut reader = match connection.take() {
                Some(reader) => reader,
                None => self.connect().map_err(no_answer)?,
            };
            match exchange(&mut reader, request) {
                Ok(reply) => {
                    *connection = Some(reader);
                    return Ok(reply);
                }
                // The supervisor ended, having had nothing to do or by force; another one will answer.
                Err(message) => {
                    (attempts, may_be_done) = (attempts + 1, true);
                    if attempts >= ATTEMPTS && backoff.elapsed() >= DYING {
                        return Err(NoAnswer { message, may_be_done });
                    }
                    backoff.pause();
                }
            }
        }
    }

    fn connect(&self) -> Result<BufReader<UnixStream>, String> {
        let mut starter = Starter::default();
        let mut backoff = Backoff::new(Duration::from_millis(1), Duration::from_millis(20));
        loop {
            let problem = match self.reach() {
                Ok(stream) => return Ok(BufReader::new(stream)),
                Err(Unreachable::OtherProtocol(message)) => return Err(message),
                Err(Unreachable::NotThere(problem)) => problem,
            };
            starter.ensure(|| start::start(&self.place, self.capacity))?;
            if backoff.elapsed() >= START {
                return Err(starter.explain(&format!("it does not start: {problem}")));
            }
            backoff.pause();
        }
    }

    fn reach(&self) -> Result<UnixStream, Unreachable> {
        let path = self.place.address();
        let text = read_own(&path).map_err(|error| Unreachable::NotThere(error.to_string()))?;
        let address: Address = serde_json::from_slice(&text)
            .map_err(|error| Unreachable::NotThere(format!("{}: {error}", path.display())))?;
        let stream = UnixStream::connect(&address.socket).map_err(|error| {
            Unreachable::NotThere(format!("{}: {error}", address.socket.display()))
        })?;
        if address.protocol != PROTOCOL {
            return Err(Unreachable::OtherProtocol(format!(
                "the supervisor, process {}, is of another version of slurm-sdk; it ends by itself once its jobs have ended",
                address.pid
            )));
        }
        let limited = stream
            .set_read_timeout(Some(ANSWER))
            .and_then(|()| stream.set_write_timeout(Some(ANSWER)));
        limited.map_err(|error| Unreachable::NotThere(error.to_string()))?;
        Ok(stream)
    }
}

/// Reads a file of this user: what another one has put there must not learn of jobs and environments.
fn read_own(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    if file.metadata()?.uid() != rustix::process::geteuid().as_raw() {
        let message = format!("{} belongs to another user", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[derive(Debug)]
enum Unreachable {
    NotThere(String),
    OtherProtocol(String),
}

fn exchange(reader: &mut BufReader<UnixStream>, request: &Request) -> Result<Reply, String> {
    let mut line = serde_json::to_vec(request).map_err(|error| error.to_string())?;
    line.push(b'\n');
    reader.get_mut().write_all(&line).map_err(|error| error.to_string())?;
    let mut answer = String::new();
    match reader.read_line(&mut answer) {
        Ok(0) => Err("it closed the connection".to_owned()),
        Ok(_) => serde_json::from_str(&answer).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}
