//! Reading and adding to the files.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::config::Target;
use super::judge::{Known, Verdict};
use super::line::{Line, algorithm_of, read};
use super::names::Names;
use crate::error::{KeyPlace, SshError};

/// What the files of known hosts say about one host.
pub(in super::super) struct KnownHosts {
    files: Vec<(PathBuf, Vec<Line>)>,
    name: String,
    portless: Option<String>,
}

impl KnownHosts {
    /// Reads the user's and the system's files. Those that do not exist say nothing.
    pub(in super::super) fn read(target: &Target) -> Result<Self, SshError> {
        let mut files = Vec::new();
        for file in target.user_known_hosts.iter().chain(&target.global_known_hosts) {
            if let Some(text) = text_of(file)? {
                files.push((file.clone(), read(&text)));
            }
        }
        Ok(Self { files, name: target.key_name(), portless: target.portless_name() })
    }

    fn known(&self) -> Result<Known<'_>, SshError> {
        let lines = self
            .files
            .iter()
            .flat_map(|(file, lines)| lines.iter().map(|line| (file.as_path(), line)));
        let names: Vec<String> =
            [Some(self.name.clone()), self.portless.clone()].into_iter().flatten().collect();
        Known::about(lines, &names)
    }

    /// Returns the types of the keys that are known of the host.
    pub(in super::super) fn key_types(&self) -> Result<Vec<String>, SshError> {
        Ok(self.known()?.key_types().into_iter().map(str::to_owned).collect())
    }

    /// Judges a key that the host has shown.
    pub(in super::super) fn judge(&self, blob: &[u8]) -> Result<Verdict, SshError> {
        Ok(self.known()?.judge(blob, &self.name, self.portless.as_deref()))
    }
}

/// Returns what is in a file, or `None` if it does not exist.
///
/// A file that cannot be read may have a key that forbids the connection, so that is an error.
pub(in super::super) fn text_of(file: &Path) -> Result<Option<String>, SshError> {
    match fs::read(file) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(SshError::KnownHosts {
            place: KeyPlace { file: file.to_owned(), line: 0 },
            message: format!("it cannot be read: {error}"),
        }),
    }
}

/// Adds a host's key to a file, which is created if it does not exist. Several processes may do so at
/// once: one of them adds the line.
pub(in super::super) fn save(file: &Path, name: &str, blob: &[u8], hash: bool) -> io::Result<()> {
    if let Some(dir) = file.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    }
    let mut known =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    known.lock()?;
    let mut before = Vec::new();
    known.read_to_end(&mut before)?;
    let lines = read(&String::from_utf8_lossy(&before));
    let is_there = |line: &Line| {
        line.names.as_ref().is_some_and(|names| names.has(name))
            && line.key.as_ref().is_ok_and(|key| key.blob == blob)
    };
    if lines.iter().any(is_there) {
        return Ok(());
    }
    let field = if hash { hashed(name)? } else { name.to_owned() };
    let algorithm = algorithm_of(blob).unwrap_or_default();
    let mut line = format!("{field} {algorithm} {}\n", STANDARD.encode(blob));
    if before.last().is_some_and(|&byte| byte != b'\n') {
        line.insert(0, '\n');
    }
    // One write, so that nobody ever reads half a line.
    known.write_all(line.as_bytes())
}

fn hashed(name: &str) -> io::Result<String> {
    let mut salt = [0; 20];
    File::open("/dev/urandom")?.read_exact(&mut salt)?;
    Names::hashed(&salt, name).ok_or_else(|| io::Error::other("the name cannot be hashed"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_saved_once_in_a_file_of_the_users_own() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(".ssh/known_hosts");
        let blob = b"\0\0\0\x0bssh-ed25519key";
        save(&file, "[a]:1", blob, false).unwrap();
        save(&file, "[a]:1", blob, true).unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "[a]:1 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5a2V5\n"
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&file), mode(file.parent().unwrap())), (0o600, 0o700));
    }

    #[test]
    fn a_line_is_added_after_a_last_one_without_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        fs::write(&file, "# mine").unwrap();
        save(&file, "a", b"\0\0\0\x07ssh-rsakey", true).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# mine\n|1|"), "{text}");
        assert!(read(&text)[0].names.as_ref().unwrap().has("a"));
    }
}
