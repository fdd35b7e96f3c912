//! Where a Slurmfile is looked for.

use std::io;
use std::path::Path;

use super::{DEFAULT_ENVIRONMENT, Environment, Slurmfile};
use crate::error::{Error, Result};
use crate::host::HostError;

/// The names that a Slurmfile may have, in the order of preference.
const NAMES: &[&str] = &["Slurmfile", "Slurmfile.toml", "slurmfile", "slurmfile.toml"];

/// Returns the environment that is meant: of the file given, or that `SLURMFILE` names, or the nearest at or
/// above the current directory; of the name given, or in `SLURM_ENV`, or `default`.
pub(crate) fn chosen(file: Option<&Path>, environment: Option<&str>) -> Result<Environment> {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let file = match file.map(Path::to_owned).or_else(|| variable("SLURMFILE").map(Into::into)) {
        Some(path) => Some(open(&path)?),
        // From a directory that is gone nothing can be found above it.
        None => std::env::current_dir().map_or(Ok(None), |here| find(&here))?,
    };
    let named = environment.map(str::to_owned);
    let named =
        named.or_else(|| variable("SLURM_ENV").map(|name| name.to_string_lossy().into_owned()));
    match (file, named) {
        (Some(file), name) => file.environment(name.as_deref().unwrap_or(DEFAULT_ENVIRONMENT)),
        (None, Some(name)) if name != DEFAULT_ENVIRONMENT => Err(Error::Config {
            message: format!("there is no Slurmfile that could have an environment `{name}`"),
            hint:
                "run from the project's directory, or name the file with --slurmfile or SLURMFILE"
                    .to_owned(),
        }),
        (None, _) => Ok(Environment::default()),
    }
}

pub(super) fn open(path: &Path) -> Result<Slurmfile> {
    if path.is_dir() {
        return in_dir(path)?.ok_or_else(|| Error::Config {
            message: format!("there is no Slurmfile in {}", path.display()),
            hint: format!("it would be named {}", NAMES.join(", ")),
        });
    }
    let text =
        std::fs::read_to_string(path).map_err(|error| HostError::file("read", path, error))?;
    Slurmfile::parse(&text, &path.display().to_string())
}

pub(super) fn find(start: &Path) -> Result<Option<Slurmfile>> {
    for dir in start.ancestors() {
        if let Some(file) = in_dir(dir)? {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn in_dir(dir: &Path) -> Result<Option<Slurmfile>> {
    for name in NAMES {
        let path = dir.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => return Slurmfile::parse(&text, &path.display().to_string()).map(Some),
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
