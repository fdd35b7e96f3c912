//! Which job ids were given out. Each is given out once, even if files of the supervisor are lost.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use slurm_core::layout::JobDir;

use super::log;
use crate::backend::local::protocol::Place;

/// The file with the highest id that was given out. The journal has it too, but may lose its end.
#[derive(Debug)]
pub(super) struct LastId {
    file: File,
}

/// The origin of ids if no file tells which were given out, in seconds since the Unix epoch. The first id is then the
/// number of quarters of a second since this time, which is above all earlier ids unless a user submitted four jobs a
/// second all year.
const EPOCH: u64 = 1_735_689_600;

impl LastId {
    /// Opens the file of a supervisor whose journal names `named` as the highest id, and returns that or a higher one.
    pub(super) fn open(place: &Place, named: u32) -> io::Result<(Self, u32)> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let noted = fs::read_to_string(place.last_id()).ok();
        let noted: Option<u32> = noted.and_then(|text| text.trim().parse().ok());
        let file = options.open(place.last_id())?;
        let before = || place.job_base_dir().and_then(highest_noted);
        let last = match noted {
            Some(noted) => noted.max(named),
            None if named == 0 => before().map_or(0, |highest| by_clock().max(highest)),
            None => named,
        };
        let ids = Self { file };
        ids.note(last);
        Ok((ids, last))
    }

    /// Notes that all ids up to `last` are given out.
    pub(super) fn note(&self, last: u32) {
        // Ids are padded to the same length, so that a new one overwrites the old one completely.
        if let Err(error) = self.file.write_all_at(format!("{last:010}\n").as_bytes(), 0) {
            log(&format!("cannot note that ids up to {last} are given out: {error}"));
        }
    }
}

fn by_clock() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let quarters = since.saturating_sub(Duration::from_secs(EPOCH)).as_millis() / 250;
    u32::try_from(quarters).unwrap_or(0)
}

/// What a client notes of a submission.
#[derive(Deserialize)]
struct Noted {
    job_id: u32,
    #[serde(default)]
    further: Vec<u32>,
}

/// Returns the highest id that may have been given out by what the submissions in a job base directory have noted, if
/// there are any: the clock may have been set back.
fn highest_noted(job_base_dir: &Path) -> Option<u32> {
    /// An array has ids for its elements, too, and notes the first.
    const ELEMENTS: u32 = 1001;
    /// What is higher is none of ours.
    const MOST: u32 = 1 << 31;
    let list = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
    let tasks =
        list(job_base_dir).filter(|task| !task.file_name().as_encoded_bytes().starts_with(b"."));
    let submissions = tasks.flat_map(|task| list(&task.path()).collect::<Vec<_>>());
    let ids = submissions.filter_map(|submission| {
        let note = fs::read(JobDir::at(submission.path()).submitted()).ok()?;
        let noted: Option<Noted> = serde_json::from_slice(&note).ok();
        let ids = noted.into_iter().flat_map(|Noted { job_id, further }| {
            further.into_iter().chain([job_id]).filter(|id| *id < MOST)
        });
        // One that cannot be read was submitted all the same.
        Some(ids.max().map_or(0, |highest| highest + ELEMENTS))
    });
    ids.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_do_not_start_over_although_all_files_are_lost_and_the_clock_was_set_back() {
        let base = tempfile::tempdir().unwrap();
        let place = Place::new(base.path());
        fs::create_dir_all(place.dir()).unwrap();
        let next = || {
            let _ = fs::remove_file(place.last_id());
            LastId::open(&place, 0).unwrap().1 + 1
        };
        assert_eq!(next(), 1, "nothing was ever submitted");
        // The clock comes to it in 2040.
        let job = base.path().join("task/job");
        fs::create_dir_all(&job).unwrap();
        fs::write(job.join("submitted.json"), r#"{"job_id":2000000000,"further":[7]}"#).unwrap();
        assert_eq!(next(), 2_000_001_002);
        fs::write(job.join("submitted.json"), "damaged").unwrap();
        assert!(next() > 1);
    }
}
