//! Programs below a job base directory, where jobs find them: `.bin/{hash}/{name}`.
//!
//! A program is put there once per content, [without what only debuggers read](slim), and is
//! [removed](retire) when a new one comes and no job can need it any more.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

mod local;
pub(crate) mod retire;
mod slim;

pub(crate) use local::{mark_as_used, stage, staging_path};
#[cfg(feature = "ssh")]
pub(crate) use slim::slim;

/// 128 bits of a BLAKE3 hash, in the name of a program's folder.
pub(crate) const HASH_DIGITS: usize = 32;

/// Returns the name of the folder of a program with this content.
pub(crate) fn folder_of(program: &[u8]) -> String {
    blake3::hash(program).to_hex()[..HASH_DIGITS].to_owned()
}

/// The prefix of the names of notes beside a program: each has the path of a directory outside of the job base
/// directory, whose jobs may need the program.
pub(crate) const ELSEWHERE: &str = "elsewhere-";

/// Returns the path of the note beside the staged `program` about jobs in `dir`.
pub fn staged_for(program: &Path, dir: &Path) -> PathBuf {
    let hash = folder_of(dir.as_os_str().as_bytes());
    program.with_file_name(format!("{ELSEWHERE}{hash}"))
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
