//! The files that a run leaves: its outcome, and the wish to be run again.

use std::path::Path;

use slurm_core::outcome::{Ending, Outcome};
use slurm_core::requeue::RequeueNote;
use slurm_core::segment::{self, HEADER, RecordKind, Records};
use slurm_core::state::JobState;

use super::core::{Found, Left, RunFiles};
use super::log;
use super::marks::Marks;
use crate::backend::Exit;

/// Looks at what a run has left whose processes have all ended; with `outcome`, also at how its files say that it ended.
pub(super) fn examine(files: &RunFiles, outcome: bool) -> Left {
    let found = Marks::of(files).found();
    Left {
        wants_another_run: wants_another_run(files),
        // If all processes of a job ended with 0, that one ended before the task had returned.
        failure: files.tasks > 1 && files.result().exists(),
        outcome: outcome.then(|| state_by_files(files, &found)).flatten(),
        found,
    }
}

/// Returns whether a run that has ended left the wish to be run again, and no outcome.
fn wants_another_run(files: &RunFiles) -> bool {
    // The segment of an element of one process may have items that are finished, and others that are not.
    let has_outcome = || (files.number.is_none() || files.tasks > 1) && files.result().exists();
    RequeueNote::read(&files.requeue(), files.restarts).is_some() && !has_outcome()
}

/// Returns the end state of a job whose exit codes were lost.
fn state_by_files(files: &RunFiles, marks: &Found) -> Option<JobState> {
    let Ok(bytes) = std::fs::read(files.result()) else {
        // With several processes, the value proves only that the first one succeeded.
        let ended_well = |rank| marks.exit_of(rank) == Some(Exit::default());
        let succeeded =
            files.tasks > 1 && has_content(&files.value()) && (0..files.tasks).all(ended_well);
        return succeeded.then_some(JobState::Completed);
    };
    if files.number.is_some() {
        return state_by_segment(&bytes);
    }
    let (outcome, _) = Outcome::from_bytes(&bytes).ok()?;
    Some(match outcome.ending {
        Ending::Value(_) => JobState::Completed,
        Ending::Failure(_) => JobState::Failed,
    })
}

/// Returns how an element ended with this segment: well if all of its items have values.
fn state_by_segment(bytes: &[u8]) -> Option<JobState> {
    let kinds: Vec<_> = Records::new(bytes, HEADER).map(|record| record.kind).collect();
    if kinds.contains(&RecordKind::Failure) {
        return Some(JobState::Failed);
    }
    let made = kinds.iter().filter(|kind| **kind == RecordKind::Value).count();
    let items = usize::try_from(segment::items(bytes)?).ok()?;
    (made >= items).then_some(JobState::Completed)
}

/// Makes the value of the first of several processes the job's result: all have ended well.
pub(super) fn publish_value(files: &RunFiles) {
    // Without a value the first process has written none, which the client tells by itself.
    if has_content(&files.value())
        && let Err(error) = std::fs::rename(files.value(), files.result())
    {
        log(&format!("the value of job {} cannot become its result: {error}", files.job));
    }
}

/// Removes what the run before left of a job of several processes, before any process of the next one can leave
/// something.
pub(super) fn clear_outcome(files: &RunFiles) {
    if files.tasks > 1 && files.restarts > 0 {
        let before = RunFiles { restarts: files.restarts - 1, ..files.clone() };
        // Mostly there is none.
        let _ = std::fs::remove_file(files.result());
        let _ = match files.number {
            // The name alone proves that the run before reached the task.
            Some(_) => {
                let options = std::fs::File::options().write(true).truncate(true).clone();
                options.open(before.value()).map(drop)
            }
            None => std::fs::remove_file(before.value()),
        };
    }
}

/// Returns whether there is a value. Where one will be, there is an empty file before.
fn has_content(value: &Path) -> bool {
    value.metadata().is_ok_and(|metadata| metadata.len() > 0)
}

#[cfg(test)]
mod tests {
    use slurm_core::segment::{header, push_record};

    use super::*;

    #[test]
    fn a_segment_says_how_its_element_ended_without_the_spec() {
        let state = |kinds: &[RecordKind]| {
            let mut bytes = header(7, 2);
            for (index, kind) in (0..).zip(kinds) {
                push_record(&mut bytes, *kind, index, &[]);
            }
            state_by_segment(&bytes)
        };
        let value = RecordKind::Value;
        assert_eq!(state(&[value, value]), Some(JobState::Completed));
        assert_eq!(state(&[value, RecordKind::Failure]), Some(JobState::Failed));
        assert_eq!(state(&[value]), None, "an item is missing");
        // The task ended its process with `exit`.
        assert_eq!(state(&[value, RecordKind::RunEnds]), None);
        assert_eq!(state_by_segment(&[]), None);
    }
}
