//! The path of the program that jobs run.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use slurm_host::staged_for;

use super::Cluster;
use crate::error::Result;
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
    /// Whether it is noted that jobs outside of the job base directory need it, if there will be some.
    is_noted: bool,
}

/// A program that was not used for a day may be removed. The machine may have slept between two submissions, so the
/// wall clock counts.
const MARKED: Duration = Duration::from_secs(3600);

impl Staged {
    /// Returns the place of a program that stays for as long as this process, a job, runs.
    pub(super) fn at(path: PathBuf) -> Self {
        Self(Mutex::new(Some(Place { path, marked: None, is_noted: false })))
    }

    /// Returns where it is for another submitter of this process.
    pub(super) fn for_another(&self) -> Self {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self(Mutex::new(place.map(|place| Place { is_noted: false, ..place })))
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
        self.backend().kind() == BackendKind::Local && self.inner.binary.is_running()
    }

    /// Puts the binary where jobs find it, and returns where that is: once per process, and again if it was not used
    /// for long and is gone.
    pub(crate) fn stage_binary(&self) -> Result<PathBuf> {
        let mut staged = self.inner.staged.0.lock().unwrap_or_else(PoisonError::into_inner);
        let host = self.backend().host();
        if let Some(place) = &mut *staged {
            let Place { path, marked, .. } = place;
            let is_recent =
                marked.is_none_or(|marked| marked.elapsed().is_ok_and(|age| age < MARKED));
            if is_recent || host.mark_as_used(path)? {
                if !is_recent {
                    *marked = Some(SystemTime::now());
                }
                self.note_jobs_elsewhere(place)?;
                return Ok(place.path.clone());
            }
        }
        // Over SSH the host itself is asked.
        if host.name().is_none() && self.environment().check != Some(ProgramCheck::Off) {
            self.inner.binary.check_here()?;
        }
        let path = host.stage(&self.inner.binary, self.job_base_dir())?;
        let mut place =
            Place { path: path.clone(), marked: Some(SystemTime::now()), is_noted: false };
        self.note_jobs_elsewhere(&mut place)?;
        *staged = Some(place);
        Ok(path)
    }

    /// Notes beside the program that jobs outside of the job base directory need it, once. Whoever removes old
    /// programs would not look for them there.
    fn note_jobs_elsewhere(&self, place: &mut Place) -> Result<()> {
        let dir = self.jobs_dir();
        if place.is_noted || dir.starts_with(self.job_base_dir()) {
            return Ok(());
        }
        self.backend().host().write(&staged_for(&place.path, &dir), dir.as_os_str().as_bytes())?;
        place.is_noted = true;
        Ok(())
    }
}
