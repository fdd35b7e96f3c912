//! Connections over SSH: everything up to an authenticated session.
//!
//! [`Ssh`] says where to and how. `connect` takes these steps, each within a time limit:
//!
//! 1. `config`: what the user's OpenSSH configuration says about the host, asked of `ssh -G`;
//! 2. `stream`: a TCP connection, or a pair of sockets with a proxy command at the other end;
//! 3. `handshake`: algorithms that the configuration allows and known_hosts suggests;
//! 4. `host_key`: the server's key against known_hosts, before any credential is sent;
//! 5. `auth`: certificates and keys of the agent and in files, keyboard-interactive, password.
//!
//! Where an `ssh` of the user's own keeps a connection open, `Master`, the steps after the first are not needed.
//!
//! What others wrote (`ssh -G`, known_hosts, key files) is read by total functions of text.

mod auth;
mod check;
mod child;
mod config;
mod connect;
mod deadline;
#[doc(hidden)]
pub mod fuzz;
mod handshake;
mod host_key;
mod known_hosts;
mod master;
mod prompt;
mod settings;
mod stream;
mod terminal;

pub use crate::error::{Attempt, HostKeyError, HostKeyProblem, KeyPlace, SshError};
pub use check::Report;
pub(crate) use connect::{Connection, connect, find};
pub(crate) use master::{Master, MasterChannel, is_noise};
pub use prompt::{Prompt, PromptKind, Prompter};
pub use settings::{HostKeyPolicy, Ssh};
pub(crate) use stream::Stream;
