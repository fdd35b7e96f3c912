//! The socket.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread;

use slurm_core::durable;

use super::log;
use super::run::Message;
use crate::backend::local::protocol::{Address, PROTOCOL, Place, Reply, Request};

/// A bound socket; its file goes when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    address: PathBuf,
}

/// The longest path that a socket can have on Linux; `sun_path` ends with a zero. See unix(7).
const LONGEST_PATH: usize = 107;

impl Socket {
    /// Binds a socket that only this user can open, says where it is, and serves it from threads.
    pub(super) fn listen(place: &Place, events: &Sender<Message>) -> io::Result<Self> {
        // The lock is held, so whoever wrote it is dead.
        if let Some(before) = read_address(&place.address())
            && before.socket.file_name().is_some_and(|name| is_of(name, place))
        {
            let _ = fs::remove_file(before.socket);
        }
        let path = bind(place, events)?;
        let socket = Self { path, address: place.address() };
        socket.tell()?;
        Ok(socket)
    }

    /// Binds anew if the socket is gone: a runtime directory goes when its user logs out.
    pub(super) fn restore(&mut self, place: &Place, events: &Sender<Message>) {
        let bound = if self.path.exists() { Ok(self.path.clone()) } else { bind(place, events) };
        let told = bound.and_then(|path| {
            let moved = path != self.path;
            self.path = path;
            if moved || !self.address.exists() { self.tell() } else { Ok(()) }
        });
        if let Err(error) = told {
            log(&format!("the socket is gone: {error}"));
        }
    }

    fn tell(&self) -> io::Result<()> {
        let address =
            Address { protocol: PROTOCOL, pid: std::process::id(), socket: self.path.clone() };
        durable::replace(&self.address, &serde_json::to_vec(&address)?)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The next supervisor replaces what cannot be removed. If the directory was removed and made again,
        // it is there already, and the address is its own.
        let ours =
            |address: Address| address.pid == std::process::id() && address.socket == self.path;
        if read_address(&self.address).is_some_and(ours) {
            let _ = fs::remove_file(&self.address);
        }
        let _ = fs::remove_file(&self.path);
    }
}

fn read_address(path: &Path) -> Option<Address> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Binds a socket at the first place that serves, and answers those who connect.
fn bind(place: &Place, events: &Sender<Message>) -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let mut problems = Vec::new();
    let mut kind = io::ErrorKind::Other;
    for parent in parents(user) {
        match bind_below(&parent, user, place.dir()) {
            Ok((listener, path)) => {
                let events = events.clone();
                thread::spawn(move || serve(&listener, &events));
                return Ok(path);
            }
            Err(error) => {
                // The log may be on the full disk, so the exit code reports it.
                if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
                {
                    kind = error.kind();
                }
                problems.push(format!("{}: {error}", parent.display()));
            }
        }
    }
    Err(io::Error::new(kind, format!("there is no place for a socket: {}", problems.join("; "))))
}

/// Directories below which a socket may be, whatever the job base directory is called.
fn parents(user: u32) -> Vec<PathBuf> {
    let is_ours = |dir: &PathBuf| {
        fs::metadata(dir).is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == user)
    };
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(is_ours);
    let mut parents: Vec<PathBuf> = runtime.into_iter().collect();
    parents.extend([std::env::temp_dir(), PathBuf::from("/tmp")]);
    parents.dedup();
    parents
}

fn bind_below(parent: &Path, user: u32, place: &Path) -> io::Result<(UnixListener, PathBuf)> {
    let folder = parent.join(format!("slurm-sdk-{user}"));
    let path = folder.join(format!("{}.{}", digest(place), std::process::id()));
    if !path.is_absolute() || path.as_os_str().len() > LONGEST_PATH {
        return Err(io::Error::new(io::ErrorKind::InvalidFilename, "no path for a socket"));
    }
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = fs::symlink_metadata(&folder)?;
    if !metadata.is_dir() || metadata.uid() != user || metadata.permissions().mode() & 0o077 != 0 {
        let message = format!("{} is not a directory of this user alone", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    // Of a process that had this number before.
    let _ = fs::remove_file(&path);
    Ok((UnixListener::bind(&path)?, path))
}

/// The part of a socket's name that tells the supervisor's directory.
fn digest(place: &Path) -> String {
    blake3::hash(place.as_os_str().as_encoded_bytes()).to_hex()[..16].to_owned()
}

fn is_of(name: &OsStr, place: &Place) -> bool {
    name.to_str()
        .and_then(|name| name.split_once('.'))
        .is_some_and(|(of, pid)| of == digest(place.dir()) && pid != std::process::id().to_string())
}

fn serve(listener: &UnixListener, events: &Sender<Message>) {
    for stream in listener.incoming().flatten() {
        let events = events.clone();
        thread::spawn(move || {
            if events.send(Message::Connected).is_ok() {
                // A connection ends with its client, or with a line that is no request.
                let _ = converse(stream, &events);
                let _ = events.send(Message::Disconnected);
            }
        });
    }
}

fn converse(mut stream: UnixStream, events: &Sender<Message>) -> io::Result<()> {
    let reader = BufReader::new(stream.try_clone()?);
    for line in reader.lines() {
        let reply = match serde_json::from_str::<Request>(&line?) {
            Ok(request) => {
                let (sender, answer) = mpsc::channel();
                if events.send(Message::Request(request, sender)).is_err() {
                    return Ok(());
                }
                // Without an answer, the supervisor is ending; the client looks for the next one.
                let Ok(reply) = answer.recv() else { return Ok(()) };
                reply
            }
            Err(error) => Reply::Refused(format!("not a request: {error}")),
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        stream.write_all(&line)?;
    }
    Ok(())
}
