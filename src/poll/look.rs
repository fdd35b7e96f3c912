//! Looks at files.

use std::path::Path;
use std::sync::{Arc, PoisonError};

use slurm_host::{Found, Look};

use super::silence::Source;
use super::{Obstacle, Shared, Subject};
use crate::error::HostError;

/// In bytes. Larger files are read after all others that the same look has found.
const LARGE: u64 = 4 << 20;

impl Shared {
    /// Looks at all files for which threads wait. Returns the positions of the subjects whose files were not
    /// all seen, so that their absence is not taken for an answer.
    pub(super) fn look(&self, open: &[Arc<dyn Subject>]) -> Result<Vec<usize>, Obstacle> {
        let mut looks = Vec::new();
        let ends: Vec<usize> = open
            .iter()
            .map(|subject| {
                subject.looks(&mut looks);
                looks.len()
            })
            .collect();
        if looks.is_empty() {
            return Ok(Vec::new());
        }
        let host = self.backend.host();
        let found = match host.look(&looks, LARGE) {
            Ok(found) => {
                self.silences.note(Source::Files, None);
                found
            }
            Err(error) => {
                if let Some(obstacle) = Obstacle::of(&error) {
                    return Err(obstacle);
                }
                log::warn!("cannot look at job directories, trying again: {error}");
                self.silences.note(Source::Files, Some(error.to_string()));
                return Ok((0..open.len()).collect());
            }
        };
        let mut found = looks.iter().zip(found).enumerate().peekable();
        let (mut news, mut large) = (false, Vec::new());
        for (position, (subject, end)) in open.iter().zip(ends).enumerate() {
            while let Some((_, (look, found))) = found.next_if(|(index, _)| *index < end) {
                match (look, found) {
                    (Look::File { path, offset }, Ok(Found::Large)) => {
                        large.push((position, look, path, *offset));
                    }
                    (_, found) => news |= subject.found(look, found),
                }
            }
        }
        if news {
            self.tell(true);
        }
        // Only the subjects themselves wait for these files.
        let mut missed = Vec::new();
        for (position, look, path, offset) in large {
            let Some(subject) = open.get(position).filter(|subject| !subject.is_settled()) else {
                continue;
            };
            match self.read_large(path, offset)? {
                Some(found) => {
                    if subject.found(look, found) {
                        self.tell(true);
                    }
                }
                None => missed.push(position),
            }
        }
        Ok(missed)
    }

    /// Reads a large file, unless the other thread already does or the host cannot be reached.
    fn read_large(
        &self,
        path: &Path,
        offset: u64,
    ) -> Result<Option<Result<Found, HostError>>, Obstacle> {
        let reading = || self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if !reading().insert(path.to_owned()) {
            return Ok(None);
        }
        let found = self.backend.host().read(path, offset);
        reading().remove(path);
        match found {
            Ok(bytes) => Ok(Some(Ok(bytes.map_or(Found::Nothing, Found::Bytes)))),
            Err(error @ HostError::File { .. }) => Ok(Some(Err(error))),
            Err(error) => match Obstacle::of(&error) {
                Some(obstacle) => Err(obstacle),
                None => {
                    log::warn!("cannot look at job directories, trying again: {error}");
                    Ok(None)
                }
            },
        }
    }
}
