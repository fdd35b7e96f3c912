//! What is said to the shell on the host, and how its answers are taken apart.
//!
//! A shell runs `prelude.sh`, which defines a few functions and then takes requests from its standard input:
//! a line with a length, a script of that length, and whatever bytes the script reads. An answer is a
//! series of parts, each with a line before it that begins with a random marker; a login banner or the words
//! of a noisy rc file cannot be taken for one.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use memchr::memmem;

use crate::command::SCRUBBED_PREFIXES;
use crate::error::HostError;
use crate::local::NOT_REGULAR;
use crate::word::shell_word;

/// What marks the parts of the answers of one connection.
#[derive(Clone, Debug)]
pub(super) struct Marker(String);

impl Marker {
    pub(super) fn new() -> Self {
        Self(format!("{:032x}", fastrand::u128(..)))
    }

    /// What ends an answer.
    pub(super) fn end(&self) -> String {
        format!("\n{}.\n", self.0)
    }
}

/// Starts a shell that reads its instructions from standard input.
///
/// The one word of it that needs quoting means the same to every login shell: there is nothing in it that
/// csh or fish would read in another way than sh.
pub(super) fn start_command(login: bool) -> String {
    let shell = if login { "exec bash -l -c" } else { "exec sh -c" };
    format!("{shell} {}", shell_word(r#"IFS= read -r n && eval "$(head -c "$n")""#))
}

/// The first thing that a shell is told.
pub(super) fn prelude(marker: &Marker, path: Option<&str>) -> Vec<u8> {
    let scrubbed: Vec<String> =
        SCRUBBED_PREFIXES.iter().map(|prefix| format!("{prefix}*")).collect();
    let functions = include_str!("prelude.sh").replace("@SCRUBBED@", &scrubbed.join("|"));
    let functions = functions.replace("@NOT_REGULAR@", NOT_REGULAR);
    let path = path.map_or_else(String::new, |dir| format!("PATH={}:$PATH\n", shell_word(dir)));
    let text = format!("M={}\n{path}{functions}", marker.0);
    format!("{}\n{text}", text.len()).into_bytes()
}

/// Bytes for the shell, and how long it may be silent until it has answered.
pub(super) struct Request {
    pub(super) bytes: Vec<u8>,
    pub(super) quiet: Duration,
    /// Whether it is one of many that follow each other: the next one is sent before this one is answered.
    pub(super) bulk: bool,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not what is in it, which may be anybody's data.
        f.debug_struct("Request").field("bytes", &self.bytes.len()).finish_non_exhaustive()
    }
}

impl Request {
    pub(super) fn raw(bytes: Vec<u8>, quiet: Duration) -> Self {
        Self { bytes, quiet, bulk: false }
    }
}

/// A script for the shell.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    text: String,
    payload: Vec<u8>,
    quiet: Option<Duration>,
    bulk: bool,
}

/// A shell that has nothing to wait for answers at once.
const QUIET: Duration = Duration::from_secs(60);

impl Script {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Adds text that means the same to every POSIX shell, with nothing foreign in it.
    pub(super) fn add(&mut self, text: impl AsRef<str>) -> &mut Self {
        self.text.push_str(text.as_ref());
        self
    }

    /// Adds a foreign text as one word.
    pub(super) fn word(&mut self, text: &str) -> &mut Self {
        self.text.push_str(&shell_word(text));
        self
    }

    /// Adds a path as one word.
    pub(super) fn path(&mut self, path: &Path) -> Result<&mut Self, HostError> {
        Ok(self.word(utf8(path)?))
    }

    /// Adds the words of a command.
    pub(super) fn words<'a>(&mut self, words: impl IntoIterator<Item = &'a str>) -> &mut Self {
        for word in words {
            self.text.push(' ');
            self.word(word);
        }
        self
    }

    /// Adds bytes for the script to read from standard input, by `head -c` of their number.
    pub(super) fn payload(&mut self, bytes: &[u8]) -> &mut Self {
        self.payload.extend_from_slice(bytes);
        self
    }

    pub(super) fn quiet(&mut self, limit: Duration) -> &mut Self {
        self.quiet = Some(limit);
        self
    }

    pub(super) fn bulk(&mut self) -> &mut Self {
        self.bulk = true;
        self
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn has_payload(&self) -> bool {
        !self.payload.is_empty()
    }

    pub(super) fn request(&self, marker: &Marker) -> Request {
        // A shell reads half a script when the connection is cut; the last line tells that it is whole.
        let text = format!("{}\n#{}", self.text, marker.0);
        let mut bytes = format!("{}\n{text}", text.len()).into_bytes();
        bytes.extend_from_slice(&self.payload);
        Request { bytes, quiet: self.quiet.unwrap_or(QUIET), bulk: self.bulk }
    }
}

/// The text of a path for the shell.
pub(super) fn utf8(path: &Path) -> Result<&str, HostError> {
    path.to_str().filter(|text| !text.contains(['\0', '\n'])).ok_or_else(|| {
        let reason = "a path on another machine is UTF-8, without NUL and line breaks";
        HostError::file("use", path, std::io::Error::other(reason))
    })
}

/// Returns `bytes` as a format for printf, in which only harmless characters stand for themselves.
pub(super) fn printf_format(bytes: &[u8]) -> String {
    let mut format = String::with_capacity(bytes.len() * 2);
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b" \n_./=:,@+{}[]()\"#;<>$&|*".contains(&byte) {
            format.push(byte.into());
        } else {
            format.push_str(&format!("\\{byte:03o}"));
        }
    }
    format
}

/// A part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    pub(super) kind: u8,
    /// What stands behind the kind: often a number.
    pub(super) name: &'a str,
    pub(super) content: &'a [u8],
}

/// Takes an answer apart. What stands before the first part is not ours.
pub(super) fn parts<'a>(marker: &Marker, answer: &'a [u8]) -> Vec<Part<'a>> {
    let line = format!("\n{}", marker.0);
    let starts: Vec<usize> = memmem::find_iter(answer, &line).collect();
    let ends = starts.iter().skip(1).copied().chain([answer.len()]);
    let part = |(start, end): (&usize, usize)| {
        let part = answer.get(start + line.len()..end)?;
        let (kind, rest) = part.split_first()?;
        let name_ends = memchr::memchr(b'\n', rest)?;
        let name = std::str::from_utf8(&rest[..name_ends]).ok()?;
        Some(Part { kind: *kind, name, content: &rest[name_ends + 1..] })
    };
    starts.iter().zip(ends).filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn printf_gives_every_byte_back() {
        let bytes: Vec<u8> = (0..=255).chain(*b"%s \\n 'a' 7\x007").collect();
        for shell in ["sh", "bash", "dash"] {
            let line = format!("printf {}", shell_word(&printf_format(&bytes)));
            let output = Command::new(shell).args(["-c", &line]).output().unwrap();
            assert_eq!(output.stdout, bytes, "{shell}");
        }
    }

    #[test]
    fn an_answer_comes_apart_at_its_marker_alone() {
        let marker = Marker("f00".to_owned());
        let answer = b"Welcome!\nf0\nf00y3\nline\n\nf00z\n";
        let found = parts(&marker, answer);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].kind, found[0].name, found[0].content), (b'y', "3", &b"line\n"[..]));
        assert_eq!((found[1].kind, found[1].name, found[1].content), (b'z', "", &b""[..]));
    }
}
