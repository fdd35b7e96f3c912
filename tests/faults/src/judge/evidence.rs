//! The evidence of a round after its end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::client::{Note, Verdict};
use crate::clients::{Clients, Ended};
use crate::inject::{Hit, Target};
use crate::ledger::{self, Line, What};
use crate::plan::{Call, Plan, Unit};

pub(crate) struct Evidence {
    pub(crate) dir: PathBuf,
    pub(crate) hits: Vec<Hit>,
    pub(crate) ended: Vec<Ended>,
    /// By client.
    pub(crate) notes: BTreeMap<String, Vec<Note>>,
    /// By call.
    pub(crate) ledger: BTreeMap<String, Vec<Line>>,
}

impl Evidence {
    pub(crate) fn gather(plan: &Plan, dir: &Path, ended: Vec<Ended>) -> Self {
        let calls = plan.units.iter().flat_map(|unit| unit.work.calls());
        let ledger = calls
            .map(|call| {
                let lines = ledger::read(&dir.join("ledger").join(&call.name));
                (call.name.clone(), lines)
            })
            .collect();
        Self {
            dir: dir.to_owned(),
            hits: ledger::read(&dir.join("hits")),
            ended,
            notes: Clients::notes(dir),
            ledger,
        }
    }

    pub(crate) fn all_notes(&self) -> impl Iterator<Item = &Note> {
        self.notes.values().flatten()
    }

    pub(crate) fn lines(&self, call: &str) -> &[Line] {
        self.ledger.get(call).map_or(&[], Vec::as_slice)
    }

    /// Whether any process of a call began.
    pub(crate) fn began(&self, call: &str) -> bool {
        !self.lines(call).is_empty()
    }

    /// Whether all processes of a call have returned, in one run.
    pub(crate) fn returned(&self, call: &Call) -> bool {
        let lines = self.lines(&call.name);
        lines.iter().filter(|line| line.what == What::Returned).any(|first| {
            (0..call.ranks as usize).all(|rank| {
                lines.iter().any(|line| {
                    (line.job, line.restart, line.rank, line.what)
                        == (first.job, first.restart, rank, What::Returned)
                })
            })
        })
    }

    /// Returns the verdict of each client on a call.
    pub(crate) fn told(&self, call: &str) -> Vec<(&str, &Verdict)> {
        let all = self
            .notes
            .iter()
            .flat_map(|(client, notes)| notes.iter().map(move |note| (client.as_str(), note)));
        all.filter_map(|(client, note)| match note {
            Note::Told { call: of, verdict } if of == call => Some((client, verdict)),
            _ => None,
        })
        .collect()
    }

    pub(crate) fn was_hit(&self, is: impl Fn(&Target) -> bool) -> bool {
        self.hits.iter().any(|hit| is(&hit.what))
    }

    /// Whether the client that submitted this part of a unit was killed, or does not know whether it did.
    pub(crate) fn is_open(&self, unit: &str, part: usize) -> bool {
        let began = |note: &Note| matches!(note, Note::Submitting { unit: of, part: which } if of == unit && *which == part);
        self.all_notes().any(began)
            && !self.all_notes().any(|note| match note {
                Note::Submitted { unit: of, part: which, .. } => of == unit && *which == part,
                Note::NotSubmitted { unit: of, part: which, verdict } => {
                    of == unit && *which == part && !verdict.is_unknown()
                }
                _ => false,
            })
    }

    pub(crate) fn is_cancelled(&self, unit: &Unit) -> bool {
        self.all_notes()
            .any(|note| matches!(note, Note::Cancelling { unit: of } if *of == unit.name))
    }

    /// Whether what failed in a unit was tried again.
    pub(crate) fn was_tried_again(&self, unit: &Unit) -> bool {
        self.all_notes().any(|note| matches!(note, Note::Again { unit: of } if *of == unit.name))
    }
}
