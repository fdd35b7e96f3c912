//! Logging in, in OpenSSH's order: keys of the agent, key files, keyboard-interactive, password.

mod agent;
mod certificate;
mod identities;
mod key_file;
mod keyboard;
mod lent;
mod order;
mod password;
mod publickey;
mod questions;
mod wire;

pub(super) use certificate::certified;
pub(super) use key_file::{KeyFile, public_key};
pub(super) use order::authenticate;
