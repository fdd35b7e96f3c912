//! Files of known hosts.
//!
//! libssh2 has a reader of its own, which knows neither patterns nor markers nor negation: a revoked key
//! would count as known. This one reads what sshd(8) describes under SSH_KNOWN_HOSTS FILE FORMAT.

mod file;
mod judge;
mod line;
mod names;

pub(super) use file::{KnownHosts, save, text_of};
pub(super) use judge::{Verdict, look_up};
pub(super) use line::algorithm_of;
