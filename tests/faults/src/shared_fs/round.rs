//! The directory of a round on the shared file system.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Policy;

/// The variable that has the directory of the server, the settings and the mounts.
const PLACE: &str = "SLURM_SDK_TEST_SHARED_FS";

/// The directory of a round on the server. The link `base` of the round leads to it. The faults and the judge
/// use this path, and the clients use the mount of the login node.
#[derive(Debug)]
pub(crate) struct Directory {
    server: PathBuf,
    settings: PathBuf,
    policy: Policy,
}

impl Directory {
    pub(crate) fn make(round: &Path, policy: &Policy) -> anyhow::Result<Self> {
        let place = place()?;
        let name = round.file_name().context("a round has a name")?;
        let server = place.join("server").join(name);
        let settings = place.join("control").join(name).with_extension("json");
        // The directory of an earlier round with the same seed may still exist.
        let _ = fs::remove_dir_all(&server);
        let directory = Self { server, settings, policy: policy.clone() };
        directory.set(policy)?;
        fs::create_dir(&directory.server)?;
        std::os::unix::fs::symlink(&directory.server, round.join("base"))?;
        Ok(directory)
    }

    /// Sets the behaviour of the server and the hosts from now on.
    pub(crate) fn set(&self, policy: &Policy) -> anyhow::Result<()> {
        let new = self.settings.with_extension("new");
        fs::write(&new, serde_json::to_vec(policy)?)?;
        Ok(fs::rename(&new, &self.settings)?)
    }

    /// Returns the settings of the round without faults.
    pub(crate) fn policy(&self) -> Policy {
        self.policy.clone()
    }

    pub(crate) fn remove(self) {
        let _ = fs::remove_dir_all(&self.server);
        let _ = fs::remove_file(&self.settings);
    }
}

fn place() -> anyhow::Result<PathBuf> {
    let place = std::env::var_os(PLACE);
    place.map(PathBuf::from).with_context(|| format!("{PLACE} is not set: run tests/faults/run"))
}

/// Returns the path of a round's job base directory that clients use.
pub(crate) fn job_base_dir(round: &Path) -> PathBuf {
    let base = round.join("base");
    match (base.is_symlink(), place(), round.file_name()) {
        (true, Ok(place), Some(name)) => place.join("login").join(name),
        _ => base,
    }
}

/// Returns the path on the server of a path in a job base directory.
pub(crate) fn on_server(path: &Path) -> PathBuf {
    let login = place().map(|place| place.join("login")).unwrap_or_default();
    match path.strip_prefix(&login) {
        Ok(rest) if login.is_absolute() => login.with_file_name("server").join(rest),
        _ => path.to_owned(),
    }
}

/// Returns the paths of which each process of a round has one in its arguments or environment.
pub(crate) fn traces(round: &Path) -> [OsString; 2] {
    [round.as_os_str().to_owned(), job_base_dir(round).into_os_string()]
}
