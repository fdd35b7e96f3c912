//! Logging in, in OpenSSH's order: keys of the agent, key files, keyboard-interactive, password.

mod agent;
mod attempt;
mod key_file;
mod keyboard;
mod order;
mod password;
mod publickey;

pub use attempt::Attempt;
pub(super) use key_file::KeyFile;
pub(super) use order::authenticate;
