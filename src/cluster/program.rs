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

/// The staged program of a cluster.
#[derive(Debug, Default)]
pub(super) struct Staged(Mutex<Option<Place>>);

#[derive(Clone, Debug)]
struct Place {
    path: PathBuf,
    /// The time when it was last marked as used; `None` if another process marks it.
    marked: Option<SystemTime>,
    /// Whether a note says that jobs outside of the job base directory need it.
    is_noted: bool,
}

/// The time after which the program is marked as used again, because a program that was not used for a day may
/// be removed. Measured by the wall clock, because the machine may sleep between two submissions.
const MARKED: Duration = Duration::from_secs(3600);

impl Staged {
    /// Returns the place of a program that stays while this process, a job, runs.
    pub(super) fn at(path: PathBuf) -> Self {
        Self(Mutex::new(Some(Place { path, marked: None, is_noted: false })))
    }

    /// Returns the place of the program for another submitter of this process.
    pub(super) fn for_another(&self) -> Self {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Self(Mutex::new(place.map(|place| Place { is_noted: false, ..place })))
    }
}

impl Cluster {
    /// Returns the path at which the job will find the program.
    pub(crate) fn binary_path(&self) -> Result<&Path> {
        let path = self.inner.binary_path.get_or_try_init(|| {
            self.backend().host().staging_path(&self.inner.binary, self.job_base_dir())
        })?;
        Ok(path)
    }

    /// Returns whether jobs run on this machine with the program of this process.
    pub(crate) fn runs_this_program_here(&self) -> bool {
        self.backend().kind() == BackendKind::Local && self.inner.binary.is_running()
    }

    /// Puts the program where jobs find it, and returns its path. This happens once per process, and again if
    /// the program was not used for long and has been removed.
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
        // Over SSH the remote host makes this check.
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

    /// Writes a note beside the program, once, that jobs outside of the job base directory need it. Processes
    /// that remove old programs do not look for jobs there.
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
