//! The connection that an `ssh` of the user's own keeps open, a *master* (`ControlMaster`).
//!
//! Whoever has logged in with `ssh`, with a second factor perhaps, need not do it again: the shells of the lanes run
//! over that connection. Each is an `ssh` that hands its standard streams to the master.

use std::fs;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::child;
use super::config::Target;
use super::prompt::printable;

/// A master that seems to be there.
#[derive(Clone, Debug)]
pub(crate) struct Master {
    socket: PathBuf,
    /// How long it may take until a shell answers.
    pub(crate) limit: Duration,
}

impl Master {
    /// Returns the master of a target, if its socket is there and this user's own.
    pub(crate) fn of(target: &Target) -> Option<Self> {
        let socket = target.control_path.clone()?;
        let metadata = fs::symlink_metadata(&socket).ok()?;
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
        // `ssh` would take it for a variable.
        let is_plain = !socket.to_string_lossy().contains("${");
        (metadata.file_type().is_socket() && is_ours && is_plain)
            .then_some(Self { socket, limit: target.connect_timeout })
    }

    /// Returns its socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Runs a line of shell on the host.
    pub(crate) fn exec(&self, line: &str) -> io::Result<MasterChannel> {
        let (ours, theirs) = UnixStream::pair()?;
        let (errors, their_errors) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        errors.set_nonblocking(true)?;
        let output = OwnedFd::from(theirs.try_clone()?);
        let mut command = self.command();
        command.arg(line);
        command.stdin(OwnedFd::from(theirs)).stdout(output).stderr(OwnedFd::from(their_errors));
        // Ctrl-C is for the program, which may have more to do.
        command.process_group(0);
        let child = command.spawn()?;
        // Their ends of the sockets must be closed here, or their end would not be noticed.
        drop(command);
        Ok(MasterChannel { child, streams: ours, errors: Some(errors), eof: false })
    }

    /// The `ssh` command without the remote command. It ignores the configuration, and if the master has gone, it must
    /// not connect by itself.
    fn command(&self) -> Command {
        let mut command = Command::new("ssh");
        let socket = self.socket.to_string_lossy().replace('%', "%%");
        command.args(["-F", "none", "-T", "-S", &socket]);
        for option in
            ["ControlMaster=no", "ProxyCommand=false", "BatchMode=yes", "ClearAllForwardings=yes"]
        {
            command.args(["-o", option]);
        }
        // The master knows where it is connected to.
        command.args(["--", "master"]);
        command
    }

    /// Checks whether a command runs over the master, and returns the obstacle if not.
    pub(super) fn check(&self) -> Result<(), String> {
        let mut command = self.command();
        command.arg("true").process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let deadline = Instant::now() + self.limit;
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(3)),
                Ok(None) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("no answer within {} s", self.limit.as_secs_f64()));
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        if status.success() {
            return Ok(());
        }
        let mut said = String::new();
        if let Some(stderr) = &mut child.stderr {
            let _ = stderr.read_to_string(&mut said);
        }
        Err(match said.lines().rev().find(|line| !is_noise(line)) {
            Some(line) => printable(line.trim()),
            None => format!("`ssh` ended with {status}"),
        })
    }
}

/// Returns whether a line says nothing about a master: it is empty, or what `ssh` says when it is kept from
/// connecting by itself.
pub(crate) fn is_noise(line: &str) -> bool {
    line.trim().is_empty()
        || line.starts_with("Connection closed by UNKNOWN")
        || line.starts_with("kex_exchange_identification: ")
}

/// A command that runs over a master, without blocking.
#[derive(Debug)]
pub(crate) struct MasterChannel {
    child: Child,
    /// Its input and output.
    streams: UnixStream,
    /// Its standard error, until that has ended.
    errors: Option<UnixStream>,
    eof: bool,
}

/// The exit code with which `ssh` reports its own failure.
const OF_SSH: i32 = 255;

impl MasterChannel {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.streams.write(bytes)
    }

    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.eof {
            return Ok(0);
        }
        let read = self.streams.read(buffer)?;
        self.eof = read == 0;
        Ok(read)
    }

    pub(crate) fn read_stderr(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(errors) = &mut self.errors else { return Ok(0) };
        let read = errors.read(buffer)?;
        if read == 0 {
            self.errors = None;
        }
        Ok(read)
    }

    /// Returns whether the command says nothing any more.
    pub(crate) fn eof(&self) -> bool {
        self.eof
    }

    /// Returns whether the connection is gone, and not this command alone.
    pub(crate) fn is_gone(&mut self) -> bool {
        // A process that has closed its streams is about to end.
        let deadline = Instant::now() + Duration::from_millis(500);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status.code() == Some(OF_SSH),
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                _ => return false,
            }
        }
    }

    /// Returns the descriptors to wait for; the first one also for writing.
    pub(crate) fn fds(&self) -> (BorrowedFd<'_>, Option<BorrowedFd<'_>>) {
        (self.streams.as_fd(), self.errors.as_ref().map(AsFd::as_fd))
    }
}

impl Drop for MasterChannel {
    fn drop(&mut self) {
        let _ = self.streams.shutdown(Shutdown::Both);
        // The master ends the shell when its `ssh` ends.
        child::terminate(&mut self.child);
    }
}
