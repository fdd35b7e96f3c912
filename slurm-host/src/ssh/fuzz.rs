//! Readers of what others wrote, for fuzzing.

use std::path::Path;

use super::auth::{KeyFile, certified, public_key};

/// Reads what `ssh -G` prints.
pub fn ssh_config(text: &str) {
    let _ = super::config::read(text);
}

/// Reads a file of known hosts and looks up a name and a key in it.
pub fn known_hosts(text: &str, name: &str, key: &[u8]) {
    super::known_hosts::look_up(Path::new("known_hosts"), text, name, key);
}

/// Reads the clear part of a private key's file, and a public key or certificate.
pub fn key_file(text: &str) {
    let _ = KeyFile::read(text);
    let _ = public_key(text).and_then(|blob| certified(&blob));
}
