//! The search for a Slurmfile.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use slurm_host::HostError;

use super::{DEFAULT_ENVIRONMENT, Environment, Slurmfile};
use crate::error::{Error, Result};

/// The names that a Slurmfile may have, in order of preference.
const NAMES: &[&str] = &["Slurmfile", "Slurmfile.toml", "slurmfile", "slurmfile.toml"];

/// Returns the chosen environment. The file is `file`, or the one that `SLURMFILE` names, or the nearest one at
/// or above the current directory. The name is `environment`, or `SLURM_ENV`, or `default`.
pub(crate) fn chosen(file: Option<&Path>, environment: Option<&str>) -> Result<Environment> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let file = match file.map(Path::to_owned).or_else(|| variable("SLURMFILE").map(Into::into)) {
        Some(path) => Some(open(&path)?),
        // If the current directory was deleted, there is no directory above it to search.
        None => std::env::current_dir().map_or(Ok(None), |here| find(&here))?,
    };
    let named = environment.map(str::to_owned);
    let named =
        named.or_else(|| variable("SLURM_ENV").map(|name| name.to_string_lossy().into_owned()));
    match (file, named) {
        (Some(file), name) => file.environment(name.as_deref().unwrap_or(DEFAULT_ENVIRONMENT)),
        (None, Some(name)) if name != DEFAULT_ENVIRONMENT => Err(Error::Config {
            message: format!("no Slurmfile was found, so there is no environment `{name}`"),
            hint:
                "run from the project's directory, or name the file with --slurmfile or SLURMFILE"
                    .to_owned(),
        }),
        (None, _) => Ok(Environment::default()),
    }
}

pub(super) fn open(path: &Path) -> Result<Slurmfile> {
    if path.is_dir() {
        let found = in_dir(path)?.map(|(file, _)| file);
        return found.ok_or_else(|| Error::Config {
            message: format!("there is no Slurmfile in {}", path.display()),
            hint: format!("its name must be one of {}", NAMES.join(", ")),
        });
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| HostError::file("read", path, error))?;
    Slurmfile::parse(&text, &path.display().to_string())
}

pub(super) fn find(start: &Path) -> Result<Option<Slurmfile>> {
    for dir in start.ancestors() {
        if let Some((file, path)) = in_dir(dir)? {
            trusted(&path)?;
            return Ok(Some(file));
        }
    }
    Ok(None)
}

/// Refuses a file that was found but not named, if another user could have written it, because its lines are
/// run.
fn trusted(path: &Path) -> Result<()> {
    let metadata = std::fs::metadata(path).map_err(|error| HostError::file("read", path, error))?;
    let ours = [0, rustix::process::geteuid().as_raw()].contains(&metadata.uid());
    let reason = match (ours, metadata.permissions().mode() & 0o002 != 0) {
        (true, false) => return Ok(()),
        (false, _) => "belongs to another user",
        (true, true) => "can be changed by all users",
    };
    Err(Error::Config {
        message: format!("the Slurmfile {} {reason}, so it is not used unless you name it", path.display()),
        hint: "its commands would run under your account; if you trust it, name it with --slurmfile or SLURMFILE"
            .to_owned(),
    })
}

fn in_dir(dir: &Path) -> Result<Option<(Slurmfile, PathBuf)>> {
    for name in NAMES {
        let path = dir.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let file = Slurmfile::parse(&text, &path.display().to_string())?;
                return Ok(Some((file, path)));
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::IsADirectory
                ) => {}
            Err(error) => return Err(HostError::file("read", &path, error).into()),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};

    use super::*;

    #[test]
    fn the_nearest_file_is_found_by_its_names_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("a/b");
        fs::create_dir_all(&below).unwrap();
        let found =
            || find(&below).unwrap().map(|file| file.environments().next().unwrap().to_owned());
        let before = found();
        for name in NAMES.iter().rev() {
            fs::write(dir.path().join(name), format!("[e-{}]", name.replace('.', "-"))).unwrap();
            assert_eq!(found(), Some(format!("e-{}", name.replace('.', "-"))));
        }
        fs::write(dir.path().join("a/slurmfile.toml"), "[nearer]").unwrap();
        assert_eq!(found().as_deref(), Some("nearer"));
        assert_eq!(before, None);
    }

    #[test]
    fn a_file_of_another_user_is_used_only_if_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("Slurmfile");
        fs::write(&file, "[default]").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        let error = find(dir.path()).unwrap_err();
        assert!(error.to_string().contains("can be changed by all users"), "{error}");
        assert!(error.hint().unwrap().contains("--slurmfile"));
        assert!(open(&file).is_ok() && open(dir.path()).is_ok());
        fs::set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
        assert!(find(dir.path()).unwrap().is_some());
        // Only root can give a file away.
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
            let error = find(dir.path()).unwrap_err();
            assert!(error.to_string().contains("belongs to another user"), "{error}");
        }
    }
}
