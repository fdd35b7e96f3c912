//! What may not stand beside what.

mod exclusive;
mod gpus;
mod needs;
mod nodes;
mod times;
mod view;

use std::fmt;

use super::set::OptionSet;
pub(super) use exclusive::partners;
pub(super) use view::View;

/// Two options that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The key of the option that the rule starts from. For [`ConflictKind::Needs`] it is one that
    /// is missing.
    pub first: &'static str,
    /// The key of the option that does not fit; it is always set.
    pub second: &'static str,
    /// What kind of rule is broken.
    pub kind: ConflictKind,
    /// What is wrong, in lower case and without a full stop.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// What kind of rule a [`Conflict`] breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConflictKind {
    /// The two options exclude each other, whatever their values are.
    Exclusive,
    /// Their values contradict each other.
    Mismatch,
    /// The second option is refused without the first, which a later source may still set.
    Needs,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.hint)
    }
}

impl OptionSet {
    /// Returns the options that do not fit together: those that sbatch 22.05 or 25.11 refuses,
    /// and those of which it silently drops one.
    ///
    /// Only values are looked at; what the cluster allows is left to the controller. Before all
    /// sources are merged, conflicts of the kind [`ConflictKind::Needs`] may still go away.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        let view = View::new(self);
        let mut found = Vec::new();
        exclusive::check(&view, &mut found);
        gpus::check(&view, &mut found);
        nodes::check(&view, &mut found);
        times::check(&view, &mut found);
        needs::check(&view, &mut found);
        found
    }
}

/// Adds a contradiction between two values.
fn mismatch(
    found: &mut Vec<Conflict>,
    (first, second): (&'static str, &'static str),
    message: String,
    hint: impl Into<String>,
) {
    found.push(Conflict {
        first,
        second,
        kind: ConflictKind::Mismatch,
        message,
        hint: hint.into(),
    });
}
