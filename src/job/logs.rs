//! The logs and the diary of a job.

use std::path::{Path, PathBuf};

use slurm_core::events::{Event, EventKind};
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_host::{Found, Look};

use super::Job;
use crate::error::{Error, Result};

/// The limit on the returned part of a log, in bytes, so that it fits into memory.
pub(crate) const LONGEST_LOG: u64 = 64 << 20;

impl<T> Job<T> {
    /// Returns the standard output of the job so far. Before its start this is empty.
    ///
    /// Bytes that are not UTF-8 are replaced. Of a log with more than 64 MiB, the last 64 MiB are returned.
    ///
    /// # Errors
    /// If the file cannot be read or is not a regular file, or if `output` has a pattern that only Slurm can
    /// resolve and the job has not started.
    pub fn stdout(&self) -> Result<String> {
        self.log(false)
    }

    /// Returns the standard error of the job so far; see [`stdout`](Self::stdout).
    ///
    /// # Errors
    /// As [`stdout`](Self::stdout).
    pub fn stderr(&self) -> Result<String> {
        self.log(true)
    }

    /// Returns the text of the batch script.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn script(&self) -> Result<String> {
        self.read_text(&self.dir().script())
    }

    /// Returns the diary of the job: what the runners of all its processes noted, oldest first.
    pub fn events(&self) -> Vec<Event> {
        Event::join(self.diaries().unwrap_or_default())
    }

    /// Reads the diaries of all nodes of the job. Only a job of several nodes has more than one, and takes a second look.
    pub(super) fn diaries(&self) -> Result<Vec<Vec<Event>>> {
        let dir = self.dir();
        let look = |path: PathBuf| Look::File { path, offset: 0 };
        let listing = Look::Dir { path: dir.path().to_owned() };
        let host = self.cluster().backend().host();
        let mut found = host.look(&[listing, look(dir.events())], u64::MAX)?;
        let first = found.pop();
        let mut others = Vec::new();
        if let Some(Found::Names(names)) = found.pop().transpose()? {
            let is_other = |name: &&String| JobDir::is_diary(name, None);
            let paths = names.iter().filter(is_other).map(|name| dir.path().join(name));
            others.extend(paths.filter(|path| *path != dir.events()).map(look));
        }
        let others = if others.is_empty() { Vec::new() } else { host.look(&others, u64::MAX)? };
        let mut diaries = Vec::new();
        for found in first.into_iter().chain(others) {
            if let Some(bytes) = found?.into_bytes() {
                diaries.push(Event::read_all(&String::from_utf8_lossy(&bytes)));
            }
        }
        Ok(diaries)
    }

    /// What the processes on the first node of the job noted, which all share its log files.
    fn first_diary(&self) -> Vec<Event> {
        Event::read_all(&self.read_text(&self.dir().events()).unwrap_or_default())
    }

    pub(super) fn read_text(&self, path: &Path) -> Result<String> {
        let bytes = self.cluster().backend().host().read(path, 0)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Returns the file of standard error, if it is known, and its last bytes.
    pub(super) fn end_of_stderr(&self) -> (Option<PathBuf>, String) {
        const ENOUGH: u64 = 4096;
        let Ok(path) = self.log_path(true) else { return (None, String::new()) };
        let end = self.end_of_file(&path, ENOUGH).unwrap_or_default();
        (Some(path), end)
    }

    fn log(&self, error: bool) -> Result<String> {
        self.end_of_log(error, LONGEST_LOG)
    }

    fn end_of_log(&self, error: bool, length: u64) -> Result<String> {
        self.end_of_file(&self.log_path(error)?, length)
    }

    fn end_of_file(&self, path: &Path, length: u64) -> Result<String> {
        let bytes = self.cluster().backend().host().read_end(path, length)?;
        Ok(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())
    }

    fn log_path(&self, error: bool) -> Result<PathBuf> {
        let noted = self.first_diary().into_iter().rev().find_map(|event| match event.event {
            EventKind::Started { stdout, stderr, .. } => {
                if error {
                    stderr
                } else {
                    stdout
                }
            }
            _ => None,
        });
        noted.map_or_else(|| self.planned_log(error), Ok)
    }

    /// Returns the path of the log according to the options of the submission.
    fn planned_log(&self, error: bool) -> Result<PathBuf> {
        let own = if error { self.dir().stderr(self.id()) } else { self.dir().stdout(self.id()) };
        let key = if error { "error" } else { "output" };
        let Ok(explanation) = self.explain() else { return Ok(own) };
        let option = explanation.options.iter().find(|option| option.key == key);
        match option.and_then(|option| option.value.as_deref().zip(Some(option.source.as_str()))) {
            None | Some((_, "default")) => Ok(own),
            Some((pattern, _)) => expand(pattern, self.id()).ok_or_else(|| Error::Config {
                message: format!(
                    "Slurm resolves `{key} = \"{pattern}\"` when the job starts, and it has not started"
                ),
                hint: "try again once it runs".to_owned(),
            }),
        }
    }
}

/// Resolves a file name pattern that depends only on the job's id.
fn expand(pattern: &str, id: JobId) -> Option<PathBuf> {
    let path = pattern.replace("%j", &id.to_string()).replace("%A", &id.to_string());
    (!path.contains('%') && path.starts_with('/')).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_expanded_only_if_the_job_id_suffices() {
        let id = JobId::new(7).unwrap();
        assert_eq!(expand("/logs/%j.out", id), Some("/logs/7.out".into()));
        assert_eq!(expand("/logs/%N.out", id), None);
        assert_eq!(expand("relative.out", id), None);
    }
}
