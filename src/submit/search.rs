//! The search for a submission whose client died before it could note the id.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use slurm_core::backoff::Backoff;
use slurm_core::durable;
use slurm_core::layout::JobDir;

use crate::cluster::Cluster;
use crate::error::{Error, HostError, Result};

/// Looks for the job of an intent, whose files are in `dir`, for as long as its submission may still arrive.
pub(crate) fn search<F>(
    cluster: &Cluster,
    dir: &JobDir,
    find: impl Fn() -> Result<Option<F>>,
) -> Result<Option<F>> {
    const PAUSE: Duration = Duration::from_millis(500);
    let (mut looks, mut outage) =
        (Backoff::steady(PAUSE), Backoff::new(PAUSE, Duration::from_secs(6)));
    let mut failures = 0;
    let on_the_way = cluster.backend().cadence().on_the_way;
    let before = age(&dir.script()).unwrap_or_default();
    loop {
        // Checked before the look, so that the last look comes after the limit.
        let is_over = before + looks.elapsed() >= on_the_way;
        match find() {
            Ok(None) if !is_over => {}
            Ok(found) => return Ok(found),
            // An outage must not end the workflow at once.
            Err(error @ (Error::Command { .. } | Error::Host(HostError::Timeout { .. })))
                if failures < 20 =>
            {
                failures += 1;
                log::warn!("cannot look for the job, trying again: {error}");
                outage.pause();
            }
            Err(error) => return Err(error),
        }
        looks.pause();
    }
}

/// Returns the age of a file by the clock of the machine that stores it, because the clocks of the nodes may
/// differ.
fn age(path: &Path) -> io::Result<Duration> {
    let written = fs::metadata(path)?.modified()?;
    let probe = durable::temporary_beside(path);
    let now = OpenOptions::new().write(true).create_new(true).open(&probe)?.metadata();
    let _ = fs::remove_file(&probe);
    Ok(now?.modified()?.duration_since(written).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn the_age_of_a_file_does_not_depend_on_the_clocks_of_nodes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("script.sh");
        fs::write(&path, "").unwrap();
        let minute = Duration::from_secs(60);
        let age_of = |written: SystemTime| {
            OpenOptions::new().append(true).open(&path).unwrap().set_modified(written).unwrap();
            age(&path).unwrap()
        };
        // Here this machine is the one that stores the file.
        assert!(age_of(SystemTime::now()) < minute);
        assert!(age_of(SystemTime::now() - 2 * minute) > minute);
        assert_eq!(
            age_of(SystemTime::now() + 2 * minute),
            Duration::ZERO,
            "the clock was set back"
        );
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no other file is left");
    }
}
