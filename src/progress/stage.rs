//! All waits of the process, and the one that may use the terminal.
//!
//! The first wait that lasts long enough has the terminal until it pauses or ends. Of the other waits only the
//! number is shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bar::Bar;
use super::view::About;

#[derive(Debug)]
struct Stage {
    last: u64,
    waits: Vec<(u64, Arc<About>)>,
    /// The wait that draws, and its bar if there is one.
    holder: Option<(u64, Option<Bar>)>,
}

static STAGE: Mutex<Stage> = Mutex::new(Stage { last: 0, waits: Vec::new(), holder: None });

fn stage() -> MutexGuard<'static, Stage> {
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers a wait for as long as it exists.
#[derive(Debug)]
pub(super) struct Waiting(u64);

impl Waiting {
    pub(super) fn begin(about: Arc<About>) -> Self {
        let mut stage = stage();
        stage.last += 1;
        let id = stage.last;
        stage.waits.push((id, about));
        Self(id)
    }

    /// Returns the number of other waits if this one may use the terminal.
    pub(super) fn enter(&self) -> Option<usize> {
        let mut stage = stage();
        let holder = stage.holder.get_or_insert((self.0, None)).0;
        (holder == self.0).then(|| stage.waits.len().saturating_sub(1))
    }

    /// Records the bar of this wait.
    pub(super) fn draws(&self, bar: Option<Bar>) {
        if let Some((_, known)) = stage().holder.as_mut().filter(|(id, _)| *id == self.0) {
            *known = bar;
        }
    }

    /// Releases the terminal for another wait.
    pub(super) fn leave(&self) {
        let mut stage = stage();
        if stage.holder.as_ref().is_some_and(|(id, _)| *id == self.0) {
            stage.holder = None;
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.leave();
        stage().waits.retain(|(id, _)| *id != self.0);
    }
}

/// Removes any bar from the terminal, and returns the subjects of all waits.
pub(crate) fn interrupted() -> Vec<Arc<About>> {
    let mut stage = stage();
    if let Some((_, Some(bar))) = stage.holder.take() {
        bar.clear();
    }
    stage.waits.iter().map(|(_, about)| Arc::clone(about)).collect()
}
