//! Notes about cancelled elements of an array.
//!
//! Slurm forgets elements that were cancelled before they ran, so each cancellation leaves a note in the
//! array's directory. Handles read the notes only while no source lists an element.

use std::path::PathBuf;

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::state::JobState;
use slurm_host::Look;

use super::{Element, State};
use crate::backend::{Asked, Sighting, Source};

impl State {
    /// Records that these jobs, or these elements of them, were cancelled.
    pub(in crate::array) fn cancelled(&mut self, cancelled: &[Asked]) {
        self.cancelled.extend_from_slice(cancelled);
    }

    /// Adds the looks for notes, if a note could explain a missing element.
    pub(in crate::array) fn look_for_notes(&self, looks: &mut Vec<Look>) {
        let elements = self.attempts.iter().flat_map(|attempt| &attempt.elements);
        let is_missing = |element: &Element| element.open > 0 && element.fate.is_absent();
        let Some(dir) = self.dir().filter(|_| elements.clone().any(is_missing)) else { return };
        let unread = self.notes.iter().filter(|(_, is_read)| !**is_read);
        looks.extend(unread.map(|(name, _)| Look::File { path: dir.join(name), offset: 0 }));
        looks.push(Look::Dir { path: dir });
    }

    /// Returns the directory of the array, where the notes are.
    pub(in crate::array) fn dir(&self) -> Option<PathBuf> {
        self.attempts.first().map(|attempt| attempt.dir.path().to_owned())
    }

    /// Records which files the array's directory has.
    pub(in crate::array) fn listed_notes(&mut self, names: Vec<String>) {
        for name in names.into_iter().filter(|name| name.starts_with(JobDir::CANCELLED)) {
            self.notes.entry(name).or_default();
        }
    }

    /// Records the content of a note.
    pub(in crate::array) fn read_note(&mut self, name: &str, content: &[u8]) {
        let Some(is_read) = self.notes.get_mut(name) else { return };
        *is_read = true;
        match serde_json::from_slice::<Vec<Asked>>(content) {
            Ok(cancelled) => self.cancelled(&cancelled),
            Err(error) => log::warn!("the note {name} of cancelled items is damaged: {error}"),
        }
    }
}

/// Returns a sighting of the element `index` as cancelled, if it was cancelled.
pub(super) fn sighting_of(cancelled: &[Asked], job: JobId, index: u32) -> Option<Sighting> {
    let is_it = |asked: &Asked| {
        let has = |(first, last): &(u32, u32)| (*first..=*last).contains(&index);
        asked.job == job && asked.elements.as_ref().is_none_or(|elements| elements.iter().any(has))
    };
    let was_cancelled = cancelled.iter().any(is_it);
    was_cancelled.then(|| Sighting { source: Source::Note, ..Sighting::of(JobState::Cancelled) })
}
