//! The socket.

use std::fs::{self, DirBuilder};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Sender};
use std::thread;

use slurm_core::durable;

use super::Event;
use crate::backend::local::protocol::{Address, PROTOCOL, Place, Reply, Request};

/// A bound socket; its file goes when this is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
    address: PathBuf,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // The next supervisor replaces what cannot be removed.
        let _ = fs::remove_file(&self.address);
        let _ = fs::remove_file(&self.path);
    }
}

/// Binds a socket that only this user can open, says where it is, and serves it from threads.
pub(super) fn listen(place: &Place, events: &Sender<Event>) -> io::Result<Socket> {
    let path = socket_path(place.dir())?;
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    let address = Address { protocol: PROTOCOL, pid: std::process::id(), socket: path.clone() };
    durable::replace(&place.address(), &serde_json::to_vec(&address)?)?;
    let events = events.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let events = events.clone();
            thread::spawn(move || {
                if events.send(Event::Connected).is_ok() {
                    // A connection ends with its client, or with a line that is no request.
                    let _ = converse(stream, &events);
                    let _ = events.send(Event::Disconnected);
                }
            });
        }
    });
    Ok(Socket { path, address: place.address() })
}

/// A path for the socket that is short enough for one, whatever the job base directory is called.
fn socket_path(dir: &Path) -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_dir());
    let folder = runtime.unwrap_or_else(std::env::temp_dir).join(format!("slurm-sdk-{user}"));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let metadata = fs::symlink_metadata(&folder)?;
    if !metadata.is_dir() || metadata.uid() != user || metadata.permissions().mode() & 0o077 != 0 {
        let message = format!("{} is not a directory of this user alone", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    let name = blake3::hash(dir.as_os_str().as_encoded_bytes()).to_hex();
    Ok(folder.join(&name[..16]))
}

fn converse(mut stream: UnixStream, events: &Sender<Event>) -> io::Result<()> {
    let reader = BufReader::new(stream.try_clone()?);
    for line in reader.lines() {
        let reply = match serde_json::from_str::<Request>(&line?) {
            Ok(request) => {
                let (sender, answer) = mpsc::channel();
                if events.send(Event::Request(request, sender)).is_err() {
                    return Ok(());
                }
                answer
                    .recv()
                    .unwrap_or_else(|_| Reply::Refused("the supervisor is ending".to_owned()))
            }
            Err(error) => Reply::Refused(format!("not a request: {error}")),
        };
        let mut line = serde_json::to_vec(&reply)?;
        line.push(b'\n');
        stream.write_all(&line)?;
    }
    Ok(())
}
