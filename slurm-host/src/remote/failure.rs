//! Errors, from the words and the status of a script.

use std::io;
use std::path::{Path, PathBuf};

use super::shell::Part;
use crate::error::HostError;

/// Reads the last part, which tells the status, and the error before it.
pub(super) fn verdict(
    parts: &[Part<'_>],
    blame: impl Fn(usize) -> (&'static str, PathBuf),
) -> Result<(), HostError> {
    let status =
        parts.iter().find(|part| part.kind == b's').and_then(|part| part.name.parse().ok());
    if status == Some(0) {
        return Ok(());
    }
    let said = parts.iter().find(|part| part.kind == b'w').map_or(&b""[..], |part| part.content);
    Err(error_of(status.unwrap_or(0), said, blame))
}

/// The error of a step that failed.
pub(super) fn error_of(
    step: usize,
    said: &[u8],
    blame: impl Fn(usize) -> (&'static str, PathBuf),
) -> HostError {
    let reason = match step {
        3 => "everybody may write to it",
        4 => "it belongs to another user",
        5 => "it is a symbolic link",
        _ => {
            let (action, path) = blame(step);
            return HostError::file(action, &path, io_error(said));
        }
    };
    let path = PathBuf::from(String::from_utf8_lossy(said).trim());
    HostError::Unsafe { path, host: None, reason }
}

/// Reads what a program said; `Ok(false)` if it says that the file does not exist.
pub(super) fn of_error(action: &'static str, path: &Path, said: &[u8]) -> Result<bool, HostError> {
    let error = io_error(said);
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(false),
        _ => Err(HostError::file(action, path, error)),
    }
}

/// An error of the system, from the words that programs have for it in the C locale.
pub(super) fn io_error(said: &[u8]) -> io::Error {
    const WORDS: &[(&str, io::ErrorKind)] = &[
        ("Permission denied", io::ErrorKind::PermissionDenied),
        ("Operation not permitted", io::ErrorKind::PermissionDenied),
        ("Read-only file system", io::ErrorKind::ReadOnlyFilesystem),
        ("No space left on device", io::ErrorKind::StorageFull),
        ("Disk quota exceeded", io::ErrorKind::QuotaExceeded),
        ("No such file or directory", io::ErrorKind::NotFound),
        // As dash puts it.
        ("nonexistent", io::ErrorKind::NotFound),
        ("Not a directory", io::ErrorKind::NotADirectory),
        ("File exists", io::ErrorKind::AlreadyExists),
    ];
    let text = String::from_utf8_lossy(said);
    let text: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let kind = WORDS.iter().find(|(words, _)| text.contains(words));
    let text = if text.is_empty() { "it failed without a word".to_owned() } else { text };
    io::Error::new(kind.map_or(io::ErrorKind::Other, |(_, kind)| *kind), text)
}
