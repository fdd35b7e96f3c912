//! What the user's OpenSSH configuration says about a host.
//!
//! `ssh -G` is asked, because nothing else reads the configuration as `ssh` does. Its answer is a list
//! of options, in which a few still have tokens (`%h`) to be replaced.

mod jump;
mod options;
mod resolve;
mod target;
mod tokens;
mod word;

pub(super) use options::{Options, read};
pub(super) use resolve::resolve;
pub(super) use target::{Proxy, Target};
pub(super) use tokens::Tokens;
