//! What stands for bars in a program that is built without the feature `progress`: there are none.

use std::time::Duration;

use super::view::About;

/// A bar, which cannot exist.
#[derive(Clone, Debug)]
pub(super) enum Bar {}

impl Bar {
    pub(super) fn new(_: &About, _: u64, _: Duration) -> Option<Self> {
        None
    }

    pub(super) fn draw(&self, _: String, _: u64) {
        match *self {}
    }

    pub(super) fn print_above(&self, _: &str) {
        match *self {}
    }

    pub(super) fn clear(&self) {
        match *self {}
    }

    pub(super) fn leave(&self) {
        match *self {}
    }
}

#[cfg(feature = "ssh")]
pub(super) const METER: Option<slurm_host::NewMeter> = None;
