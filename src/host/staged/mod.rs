//! Programs below a job base directory, where jobs find them: `.bin/{hash}/{name}`.
//!
//! A program is put there once per content, [without what only debuggers read](slim), and is
//! [removed](retire) when a new one comes and no job can need it any more.

mod local;
pub(super) mod retire;
mod slim;

pub(super) use local::{mark_as_used, stage, staging_path};
#[cfg(feature = "ssh")]
pub(super) use slim::slim;

/// 128 bits of a BLAKE3 hash, in the name of a program's folder.
pub(super) const HASH_DIGITS: usize = 32;

/// Returns the name of the folder of a program with this content.
pub(super) fn folder_of(program: &[u8]) -> String {
    blake3::hash(program).to_hex()[..HASH_DIGITS].to_owned()
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
