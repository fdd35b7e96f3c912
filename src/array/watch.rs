//! Watching an array for a waiting thread.

use std::sync::{Mutex, MutexGuard, PoisonError};

use once_cell::sync::OnceCell;
use slurm_host::{Found, Look};

use super::state::State;
use crate::backend::{Asked, Cadence, Survey};
use crate::error::{Error, HostError};
use crate::model::{Progress, Status};
use crate::poll::{Obstacle, Subject};

/// An array for which a thread waits.
///
/// A look for its results costs one listing of a directory, and one read for each running element.
#[derive(Debug)]
pub(super) struct ArrayWatch {
    state: Mutex<State>,
    obstacle: OnceCell<Obstacle>,
}

impl ArrayWatch {
    pub(super) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), obstacle: OnceCell::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the answer of `check`, or an error if there can never be one.
    pub(super) fn check<R>(
        &self,
        check: impl FnOnce(&State) -> Option<R>,
    ) -> Option<Result<R, Error>> {
        if let Some(answer) = check(&self.state()) {
            return Some(Ok(answer));
        }
        self.obstacle.get().map(|obstacle| Err(obstacle.clone().into()))
    }
}

impl Subject for ArrayWatch {
    fn is_settled(&self) -> bool {
        self.obstacle.get().is_some() || self.state().is_complete()
    }

    fn progress(&self) -> Progress {
        self.state().progress()
    }

    fn statuses(&self) -> Vec<(Status, usize)> {
        self.state().statuses()
    }

    fn jobs(&self, asked: &mut Vec<Asked>) {
        let state = self.state();
        for (_, attempt) in state.open() {
            let parts = attempt.parts.iter().map(|part| (part.job, attempt.open_in(part)));
            let open = parts.filter(|(_, elements)| !elements.is_empty());
            asked.extend(open.map(|(job, elements)| Asked { job, elements: Some(elements) }));
        }
    }

    fn looks(&self, looks: &mut Vec<Look>) {
        let state = self.state();
        for (_, attempt) in state.open() {
            looks.push(Look::Dir { path: attempt.dir.segments() });
            let growing = State::growing(attempt);
            looks.extend(growing.map(|(element, offset)| Look::File {
                path: attempt.dir.segment(element),
                offset,
            }));
        }
        state.look_for_notes(looks);
    }

    fn found(&self, look: &Look, found: Result<Found, HostError>) -> bool {
        let mut state = self.state();
        let (Look::Dir { path } | Look::File { path, .. }) = look;
        let is_of_array = |path: &std::path::Path| state.dir().as_deref() == Some(path);
        let of = |segments: &std::path::Path| {
            state.attempts.iter().position(|attempt| attempt.dir.segments() == segments)
        };
        match (look, found) {
            (Look::Dir { path }, Ok(Found::Names(names))) if is_of_array(path) => {
                state.listed_notes(names);
                false
            }
            (Look::File { path, .. }, Ok(Found::Bytes(bytes)))
                if path.parent().is_some_and(is_of_array) =>
            {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                state.read_note(name, &bytes);
                false
            }
            (Look::Dir { path }, Ok(Found::Names(names))) => {
                of(path).is_some_and(|attempt| state.listed(attempt, &names))
            }
            (Look::File { path, offset }, Ok(Found::Bytes(bytes))) => {
                let attempt = path.parent().and_then(of);
                let element = path.file_name().and_then(|name| name.to_str()?.parse().ok());
                match attempt.zip(element) {
                    Some((attempt, element)) => state.grown(attempt, element, *offset, bytes),
                    None => false,
                }
            }
            (_, Ok(_)) => false,
            (_, Err(error)) => {
                log::warn!("cannot read {}, trying again: {error}", path.display());
                false
            }
        }
    }

    fn seen(&self, survey: &Survey) -> bool {
        self.state().seen(survey)
    }

    fn unanswered(&self, why: &str) {
        self.state().unanswered(why);
    }

    fn unanswerable(&self, obstacle: &Obstacle) {
        // One obstacle is enough; the first is kept.
        let _ = self.obstacle.set(obstacle.clone());
    }

    fn settle(&self, cadence: &Cadence) {
        self.state().settle(cadence);
    }
}
