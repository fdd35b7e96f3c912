//! Recognises programs that run `#[test]` functions.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use memchr::memmem;
use once_cell::sync::OnceCell;

/// Returns whether the standard test harness has the `main` of this program. A job of such a program would
/// start the harness instead of the task.
pub(super) fn is_one() -> bool {
    static KNOWN: OnceCell<bool> = OnceCell::new();
    *KNOWN.get_or_init(|| {
        // The file is read only if its name looks like a test, because reading takes milliseconds.
        let program = std::env::current_exe().unwrap_or_default();
        looks_like_one(&program)
            && File::open("/proc/self/exe").is_ok_and(|file| holds_one(file).unwrap_or(false))
    })
}

/// cargo adds a hash to the names of test programs, and most harnesses run tests on threads.
fn looks_like_one(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let hash = name.rsplit_once('-').map_or("", |(_, hash)| hash);
    let has_hash = hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    has_hash || std::thread::current().name() != Some("main")
}

/// Returns whether a program contains the text of the harness.
fn holds_one(mut program: impl Read) -> io::Result<bool> {
    // Written backwards, so that this function does not put the text into the program.
    let text: Vec<u8> = b"DEES_ELFFUHS_TSET_TSUR".iter().rev().copied().collect();
    let finder = memmem::Finder::new(&text);
    let mut buffer = vec![0; 1 << 20];
    let mut kept = 0;
    loop {
        let read = program.read(buffer.get_mut(kept..).unwrap_or_default())?;
        let end = kept + read;
        let known = buffer.get(..end).unwrap_or_default();
        if finder.find(known).is_some() {
            return Ok(true);
        }
        if read == 0 {
            return Ok(false);
        }
        // The text may be split between two pieces.
        kept = end.min(text.len() - 1);
        buffer.copy_within(end - kept..end, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_harness_is_recognised_also_across_two_pieces() {
        assert!(is_one());
        let text: Vec<u8> = b"DEES_ELFFUHS_TSET_TSUR".iter().rev().copied().collect();
        let mut bytes = vec![0; (1 << 20) - 7];
        assert!(!holds_one(bytes.as_slice()).unwrap());
        bytes.extend(&text);
        assert!(holds_one(bytes.as_slice()).unwrap());
        assert!(!holds_one(&bytes[..bytes.len() - 1]).unwrap());
    }
}
