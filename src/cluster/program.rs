//! The path of the program that jobs run.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::Cluster;
use crate::error::Result;
use crate::host::fit;
use crate::model::BackendKind;
use crate::slurmfile::ProgramCheck;

/// The program of a cluster, once it is staged.
#[derive(Debug, Default)]
pub(super) struct Staged(Mutex<Option<Place>>);

#[derive(Clone, Debug)]
struct Place {
    path: PathBuf,
    /// When it was last marked as used; `None` if another process marks it.
    marked: Option<SystemTime>,
}

/// A program that was not used for a day may be removed. The machine may have slept between two submissions, so the
/// wall clock counts.
const MARKED: Duration = Duration::from_secs(3600);

impl Staged {
    /// Returns the place of a program that stays for as long as this process, a job, runs.
    pub(super) fn at(path: PathBuf) -> Self {
        Self(Mutex::new(Some(Place { path, marked: None })))
    }

    /// Returns where it is for another submitter of this process.
    pub(super) fn for_another(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Cluster {
    /// Returns where the job will find the binary.
    pub(crate) fn binary_path(&self) -> Result<&Path> {
        let path = self.inner.binary_path.get_or_try_init(|| {
            self.backend().host().staging_path(&self.inner.binary, self.job_base_dir())
        })?;
        Ok(path)
    }

    /// Returns whether jobs run on this machine and run the very program that runs now.
    pub(crate) fn runs_this_program_here(&self) -> bool {
        self.backend().name() == BackendKind::Local.as_str() && self.inner.binary.is_running()
    }

    /// Puts the binary where jobs find it, and returns where that is: once per process, and again if it was not used
    /// for long and is gone.
    pub(crate) fn stage_binary(&self) -> Result<PathBuf> {
        let mut staged = self.inner.staged.0.lock().unwrap_or_else(PoisonError::into_inner);
        let host = self.backend().host();
        if let Some(Place { path, marked }) = &mut *staged {
            let is_recent =
                marked.is_none_or(|marked| marked.elapsed().is_ok_and(|age| age < MARKED));
            if is_recent || host.mark_as_used(path)? {
                if !is_recent {
                    *marked = Some(SystemTime::now());
                }
                return Ok(path.clone());
            }
        }
        // Over SSH the host itself is asked.
        if host.name().is_none() && self.environment().check != Some(ProgramCheck::Off) {
            fit::check_here(&self.inner.binary)?;
        }
        let path = host.stage(&self.inner.binary, self.job_base_dir())?;
        *staged = Some(Place { path: path.clone(), marked: Some(SystemTime::now()) });
        Ok(path)
    }
}
