//! Keys and certificates, in the order in which OpenSSH tries them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::agent;
use super::certificate::{certified, is_certificate};
use super::key_file::{KeyFile, public_key};
use super::order::Login;

/// Something that the server can be asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The public key, or the certificate; `None` if only the private key can tell.
    pub(super) public: Option<Vec<u8>>,
    /// The place of its private key.
    pub(super) holder: Holder,
    /// The file with the certificate.
    pub(super) certificate: Option<PathBuf>,
}

/// The place of a private key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// The agent, under this public key.
    Agent(agent::Key),
    /// A file.
    File(PathBuf, KeyFile),
}

/// The meaning of an `IdentityFile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    file: PathBuf,
    public: Option<Vec<u8>>,
    private: Option<KeyFile>,
    certificate: Option<PathBuf>,
}

/// Classifies the files of the configuration. Where no `CertificateFile` is configured, the certificate
/// beside a key counts as well.
pub(super) fn named(login: &mut Login<'_>) -> Vec<Named> {
    let target = login.target;
    let mut named = Vec::new();
    for file in &target.identity_files {
        let (public, private) = look_at(login, file);
        let is_certificate = public.as_deref().is_some_and(is_certificate);
        if public.is_some() || private.is_some() {
            named.push(Named {
                file: file.clone(),
                public,
                private: private.clone(),
                certificate: is_certificate.then(|| file.clone()),
            });
        }
        if !target.certificate_files.is_empty() {
            continue;
        }
        let beside = beside(file, "-cert.pub");
        if let Some(public) = read_public(&beside).filter(|public| certified(public).is_some()) {
            named.push(Named {
                file: file.clone(),
                public: Some(public),
                private,
                certificate: Some(beside),
            });
        }
    }
    named
}

/// Reads the certificates that `CertificateFile` names.
pub(super) fn certificates(login: &mut Login<'_>) -> Vec<(PathBuf, Vec<u8>)> {
    let mut certificates = Vec::new();
    for file in &login.target.certificate_files {
        match read_public(file) {
            Some(public) if certified(&public).is_some() => {
                certificates.push((file.clone(), public));
            }
            Some(_) => login.failed(what(file), "is not a certificate of a user"),
            None if file.exists() => login.failed(what(file), "is not a certificate"),
            // Missing certificate files are ignored.
            None => {}
        }
    }
    certificates
}

fn what(file: &Path) -> String {
    format!("publickey ({})", file.display())
}

/// OpenSSH's order: certificates that the configuration names; keys of the agent that the configuration names; its
/// other keys, unless `IdentitiesOnly`; the files whose keys are not in the agent.
///
/// A certificate is signed for by whoever has its key: the agent, or any file. Certificates whose key is nowhere
/// are returned as well.
pub(super) fn order(
    mut files: Vec<Named>,
    certificates: Vec<(PathBuf, Vec<u8>)>,
    in_agent: Vec<agent::Key>,
    identities_only: bool,
) -> (Vec<Candidate>, Vec<PathBuf>) {
    let all_files = files.clone();
    let (mut from_files, mut others) = (Vec::new(), Vec::new());
    for key in in_agent {
        match files.iter().position(|named| named.public.as_ref() == Some(&key.blob)) {
            Some(at) => {
                files.remove(at);
                from_files.push(key);
            }
            None if !identities_only => others.push(key),
            None => {}
        }
    }
    from_files.extend(others);
    let held = from_files;
    let holder_of = |certificate: &[u8]| {
        let plain = certified(certificate)?;
        if let Some(key) = held.iter().find(|key| key.blob == plain) {
            return Some(Holder::Agent(key.clone()));
        }
        all_files.iter().find_map(|named| {
            let private =
                named.private.clone().filter(|_| named.public.as_ref() == Some(&plain))?;
            Some(Holder::File(named.file.clone(), private))
        })
    };
    let mut candidates = Vec::new();
    let mut orphans = Vec::new();
    for (file, public) in certificates {
        match holder_of(&public) {
            Some(holder) => {
                let certificate = Some(file);
                candidates.push(Candidate { public: Some(public), holder, certificate });
            }
            None => orphans.push(file),
        }
    }
    for key in &held {
        let holder = Holder::Agent(key.clone());
        candidates.push(Candidate { public: Some(key.blob.clone()), holder, certificate: None });
    }
    for Named { file, public, private, certificate } in files {
        let own = private.map(|private| Holder::File(file, private));
        let holder = match (&certificate, &public) {
            (Some(_), Some(public)) => holder_of(public).or(own),
            _ => own,
        };
        match (holder, certificate) {
            (Some(holder), certificate) => {
                candidates.push(Candidate { public, holder, certificate });
            }
            (None, Some(certificate)) => orphans.push(certificate),
            (None, None) => {}
        }
    }
    (candidates, orphans)
}

/// Finds out what a file of the configuration is: a private key, a public one whose private one may be in the
/// agent, or nothing.
fn look_at(login: &mut Login<'_>, file: &Path) -> (Option<Vec<u8>>, Option<KeyFile>) {
    let beside_public = read_public(&beside(file, ".pub"));
    let text = match fs::read_to_string(file) {
        Ok(text) => Zeroizing::new(text),
        Err(error) => {
            if error.kind() != std::io::ErrorKind::NotFound {
                login.failed(what(file), format!("cannot be read: {error}"));
            }
            return (beside_public, None);
        }
    };
    if let Some(public) = public_key(&text) {
        return (Some(public), None);
    }
    let Some(key) = KeyFile::read(&text) else {
        login.failed(what(file), "is not a private key");
        return (beside_public, None);
    };
    if let Ok(metadata) = fs::metadata(file)
        && metadata.uid() == rustix::process::getuid().as_raw()
        && metadata.mode() & 0o077 != 0
    {
        login.failed(
            what(file),
            format!("others can read it, so it is not used: chmod 600 {}", file.display()),
        );
        return (beside_public, None);
    }
    (key.public.clone().or(beside_public), Some(key))
}

fn read_public(file: &Path) -> Option<Vec<u8>> {
    public_key(&fs::read_to_string(file).ok()?)
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
