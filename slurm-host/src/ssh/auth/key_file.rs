//! What a private key's file tells without its passphrase.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::known_hosts::algorithm_of;
use super::wire::string;

/// What a private key's file tells without its passphrase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in super::super) struct KeyFile {
    /// Whether a passphrase is needed.
    pub(super) encrypted: bool,
    /// The public key, if the file has it in clear.
    pub(super) public: Option<Vec<u8>>,
}

impl KeyFile {
    /// Reads the text of a private key, or returns `None` if it is none.
    pub(in super::super) fn read(text: &str) -> Option<Self> {
        const OPENSSH: &str = "-----BEGIN OPENSSH PRIVATE KEY-----";
        let begin = text.find("-----BEGIN ")?;
        let text = &text[begin..];
        if let Some(rest) = text.strip_prefix(OPENSSH) {
            let body: String =
                rest.split("-----").next()?.chars().filter(|c| !c.is_whitespace()).collect();
            return Self::openssh(&STANDARD.decode(body).ok()?);
        }
        let header = text.lines().next()?;
        if !header.ends_with("PRIVATE KEY-----") {
            return None;
        }
        let encrypted = header.contains("ENCRYPTED")
            || text
                .lines()
                .any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"));
        Some(Self { encrypted, public: None })
    }

    /// The format of OpenSSH's PROTOCOL.key: cipher, kdf, its options, the number of keys, and the
    /// first public one.
    fn openssh(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(b"openssh-key-v1\0")?;
        let cipher = string(&mut rest)?;
        let _kdf = string(&mut rest)?;
        let _options = string(&mut rest)?;
        let (_count, mut rest) = rest.split_first_chunk::<4>()?;
        let public = string(&mut rest)?;
        Some(Self { encrypted: cipher != b"none", public: Some(public.to_vec()) })
    }
}

/// Reads a `.pub` file: type, key and comment.
pub(in super::super) fn public_key(text: &str) -> Option<Vec<u8>> {
    let mut words = text.lines().next()?.split_whitespace();
    let algorithm = words.next()?;
    let blob = STANDARD.decode(words.next()?).ok()?;
    (algorithm_of(&blob) == Some(algorithm)).then_some(blob)
}

/// The text of a `.pub` file.
pub(super) fn public_text(blob: &[u8]) -> Option<String> {
    Some(format!("{} {}", algorithm_of(blob)?, STANDARD.encode(blob)))
}
