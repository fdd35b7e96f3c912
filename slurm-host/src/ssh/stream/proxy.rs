//! `ProxyCommand` and `ProxyJump`: a process at the other end of a pair of sockets.

use std::collections::VecDeque;
use std::env;
use std::io::{BufRead, BufReader};
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::super::child;
use super::super::config::{Proxy, Target};
use super::super::prompt::printable;
use crate::error::SshError;

/// A pair of sockets with a process at its other end, which ends with it.
#[derive(Debug)]
pub(super) struct ProxyStream {
    socket: UnixStream,
    child: Child,
    stderr: Stderr,
}

impl ProxyStream {
    pub(super) fn open(target: &Target, proxy: &Proxy) -> Result<Self, SshError> {
        let (mut command, shown) = command(proxy);
        let failed = |error: std::io::Error| SshError::Proxy {
            host: target.name(),
            command: shown.clone(),
            message: error.to_string(),
        };
        let (ours, theirs) = UnixStream::pair().map_err(failed)?;
        let output = OwnedFd::from(theirs.try_clone().map_err(failed)?);
        command.stdin(OwnedFd::from(theirs)).stdout(output).stderr(Stdio::piped());
        log::debug!("connecting to {} through `{shown}`", target.name());
        let mut child = command.spawn().map_err(failed)?;
        // Its end of the socket must be closed here, or its death would not be noticed.
        drop(command);
        let stderr = Stderr::collect(shown, child.stderr.take());
        Ok(Self { socket: ours, child, stderr })
    }

    /// Returns what the process has to say about a connection that failed.
    pub(super) fn stderr(&self) -> Stderr {
        self.stderr.clone()
    }
}

impl AsFd for ProxyStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for ProxyStream {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        // `ssh` ends its own proxies on SIGTERM; SIGKILL would leave them behind.
        child::terminate(&mut self.child);
    }
}

/// The command, and how it is shown.
///
/// It stays in our process group: an `ssh` in the background could not ask on the terminal.
fn command(proxy: &Proxy) -> (Command, String) {
    match proxy {
        Proxy::Jump(arguments) => {
            let mut command = Command::new("ssh");
            command.args(arguments);
            let words: Vec<String> =
                arguments.iter().map(|argument| crate::word::shell_word(argument)).collect();
            (command, format!("ssh {}", words.join(" ")))
        }
        Proxy::Command(line) => {
            let shell = env::var_os("SHELL").filter(|shell| !shell.is_empty());
            let mut command = Command::new(shell.unwrap_or_else(|| "/bin/sh".into()));
            // As OpenSSH does it, so that no shell stays between.
            command.arg("-c").arg(format!("exec {line}"));
            (command, line.clone())
        }
    }
}

/// The last lines that a proxy wrote to stderr.
#[derive(Clone, Debug)]
pub(in super::super) struct Stderr {
    command: String,
    lines: Arc<Mutex<VecDeque<String>>>,
    /// Disconnected when there is no more.
    ended: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Stderr {
    const LINES: usize = 20;

    fn collect(command: String, pipe: Option<ChildStderr>) -> Self {
        let (sender, ended) = mpsc::channel();
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&lines);
        let shown = command.clone();
        thread::spawn(move || {
            let _ended = sender;
            let Some(pipe) = pipe else { return };
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = printable(String::from_utf8_lossy(&line).trim_end());
                log::debug!("`{shown}` says: {line}");
                let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() == Self::LINES {
                    kept.pop_front();
                }
                kept.push_back(line);
            }
        });
        Self { command, lines, ended: Arc::new(Mutex::new(ended)) }
    }

    /// Returns the error of a connection that failed, with the proxy's own words if it has any.
    pub(in super::super) fn explain(&self, host: String, error: SshError) -> SshError {
        // It is about to end if it is what failed.
        let _ = self
            .ended
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv_timeout(Duration::from_millis(500));
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let words = lines.iter().filter(|line| !line.trim().is_empty());
        let message = words.cloned().collect::<Vec<_>>().join("\n");
        let message = match (error, message.as_str()) {
            (SshError::Protocol { message, .. }, "") => {
                format!("{message}, and it wrote nothing to stderr")
            }
            // What libssh2 says of a stream that was closed adds nothing.
            (SshError::Protocol { .. }, _) => message,
            (error, "") => return error,
            (SshError::Timeout { step, limit, .. }, _) => {
                format!("{step} did not end within {} s; it wrote: {message}", limit.as_secs_f64())
            }
            (error, _) => return error,
        };
        SshError::Proxy { host, command: self.command.clone(), message }
    }
}
