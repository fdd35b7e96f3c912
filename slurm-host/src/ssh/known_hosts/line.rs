//! Lines of a file of known hosts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::names::Names;

/// A line that is not empty and no comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Line {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) marker: Marker,
    pub(super) names: Option<Names>,
    /// The key, or what is wrong with it.
    pub(super) key: Result<Key, &'static str>,
}

/// What a line says about its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Marker {
    /// The host has it.
    None,
    /// `@revoked`: nobody may have it.
    Revoked,
    /// `@cert-authority`: it signs the keys of hosts.
    Authority,
    /// Something newer than this program.
    Other(String),
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    /// `ssh-ed25519`, `ssh-rsa`, …
    pub(super) algorithm: String,
    /// As it is sent.
    pub(super) blob: Vec<u8>,
}

/// Reads a file. Lines that make no sense are kept, with what is wrong.
pub(in super::super) fn read(text: &str) -> Vec<Line> {
    text.lines().enumerate().filter_map(|(index, line)| Line::read(index + 1, line)).collect()
}

impl Line {
    fn read(number: usize, line: &str) -> Option<Self> {
        let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
        let mut field = words.next().filter(|first| !first.starts_with('#'))?;
        let mut marker = Marker::None;
        if field.starts_with('@') {
            marker = match field {
                "@revoked" => Marker::Revoked,
                "@cert-authority" => Marker::Authority,
                other => Marker::Other(other.to_owned()),
            };
            field = words.next().unwrap_or_default();
        }
        let key = match (words.next(), words.next()) {
            (Some(algorithm), Some(blob)) => Key::read(algorithm, blob),
            _ => Err("the line has no key"),
        };
        Some(Self { number, marker, names: Names::read(field), key })
    }
}

impl Key {
    fn read(algorithm: &str, blob: &str) -> Result<Self, &'static str> {
        let blob = STANDARD.decode(blob).map_err(|_| "the key is not in base64")?;
        if algorithm_of(&blob) != Some(algorithm) {
            return Err("the key is not of the type that the line says");
        }
        Ok(Self { algorithm: algorithm.to_owned(), blob })
    }
}

/// Returns the name of the algorithm, with which every public key begins.
pub(in super::super) fn algorithm_of(blob: &[u8]) -> Option<&str> {
    let (length, rest) = blob.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    std::str::from_utf8(rest.get(..length)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJ4rVYrXj9QmTZ8YFOgwP9vTnQqe0oPFBAoe6sWo6i6T";

    #[test]
    fn lines_are_read_with_their_numbers_and_markers() {
        let text = format!(
            "# comment\n\nlogin ssh-ed25519 {KEY} a comment\r\n  @revoked\t*  ssh-ed25519 {KEY}\n\
             @cert-authority *.example.org ssh-ed25519 {KEY}\n@new x ssh-ed25519 {KEY}\n"
        );
        let lines = read(&text);
        let markers: Vec<_> =
            lines.iter().map(|line| (line.number, line.marker.clone(), line.key.is_ok())).collect();
        assert_eq!(
            markers,
            [
                (3, Marker::None, true),
                (4, Marker::Revoked, true),
                (5, Marker::Authority, true),
                (6, Marker::Other("@new".to_owned()), true),
            ]
        );
    }

    #[test]
    fn keys_that_are_none_are_told() {
        let wrong = |line: &str| read(line)[0].key.clone().unwrap_err();
        assert_eq!(wrong("login ssh-ed25519"), "the line has no key");
        assert_eq!(wrong("login ssh-ed25519 !!!"), "the key is not in base64");
        let other = format!("login ssh-rsa {KEY}");
        assert_eq!(wrong(&other), "the key is not of the type that the line says");
        assert_eq!(wrong("@revoked"), "the line has no key");
    }
}
