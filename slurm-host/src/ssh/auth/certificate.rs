//! Certificates of users: what OpenSSH's PROTOCOL.certkeys says of them.

use super::super::known_hosts::algorithm_of;
use super::wire::{number, put, string};

const SUFFIX: &str = "-cert-v01@openssh.com";

/// Returns the public key that a user's certificate is about, or `None` if `blob` is anything else.
pub(in super::super) fn certified(blob: &[u8]) -> Option<Vec<u8>> {
    const USER: u32 = 1;
    let (plain, fields) = plain_type(algorithm_of(blob)?)?;
    let mut rest = blob;
    let _type = string(&mut rest)?;
    let _nonce = string(&mut rest)?;
    let mut key = Vec::new();
    put(&mut key, plain.as_bytes());
    for _ in 0..fields {
        put(&mut key, string(&mut rest)?);
    }
    let (_serial, mut rest) = rest.split_first_chunk::<8>()?;
    (number(&mut rest)? == USER).then_some(key)
}

/// Returns whether `blob` is a certificate, of whatever kind.
pub(super) fn is_certificate(blob: &[u8]) -> bool {
    algorithm_of(blob).is_some_and(|algorithm| algorithm.ends_with(SUFFIX))
}

/// Returns the type of a certificate's key, and of how many strings the key consists.
fn plain_type(algorithm: &str) -> Option<(String, usize)> {
    let plain = algorithm.strip_suffix(SUFFIX)?;
    Some(match plain {
        "ssh-ed25519" => (plain.to_owned(), 1),
        "ssh-rsa" => (plain.to_owned(), 2),
        "sk-ssh-ed25519" => (format!("{plain}@openssh.com"), 2),
        "sk-ecdsa-sha2-nistp256" => (format!("{plain}@openssh.com"), 3),
        ecdsa if ecdsa.starts_with("ecdsa-sha2-") => (plain.to_owned(), 2),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(algorithm: &str, fields: &[&[u8]], kind: u32) -> Vec<u8> {
        let mut blob = Vec::new();
        put(&mut blob, algorithm.as_bytes());
        put(&mut blob, b"nonce");
        fields.iter().for_each(|field| put(&mut blob, field));
        blob.extend(7_u64.to_be_bytes());
        blob.extend(kind.to_be_bytes());
        blob
    }

    #[test]
    fn a_certificate_names_its_key() {
        let mut key = Vec::new();
        put(&mut key, b"ssh-ed25519");
        put(&mut key, b"point");
        let of_user = certificate("ssh-ed25519-cert-v01@openssh.com", &[b"point"], 1);
        assert_eq!(certified(&of_user), Some(key.clone()));
        let of_host = certificate("ssh-ed25519-cert-v01@openssh.com", &[b"point"], 2);
        assert_eq!(certified(&of_host), None);
        assert_eq!(certified(&key), None);
        assert_eq!(certified(&of_user[..40]), None);
    }

    #[test]
    fn a_token_is_named_by_the_application_too() {
        let blob = certificate("sk-ssh-ed25519-cert-v01@openssh.com", &[b"point", b"ssh:"], 1);
        let key = certified(&blob).unwrap();
        assert_eq!(algorithm_of(&key), Some("sk-ssh-ed25519@openssh.com"));
        assert!(key.ends_with(b"ssh:"));
    }
}
