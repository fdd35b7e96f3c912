//! The evidence of a round after its end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::client::{Kind, Note, Noted, Verdict};
use crate::clients::{Clients, Ended};
use crate::inject::{Hit, Target};
use crate::ledger::{self, Line, What};
use crate::plan::{Call, Plan, Unit};

#[derive(Default)]
pub(crate) struct Evidence {
    pub(crate) dir: PathBuf,
    pub(crate) hits: Vec<Hit>,
    pub(crate) ended: Vec<Ended>,
    /// The notes of each client.
    pub(crate) notes: BTreeMap<String, Vec<Noted>>,
    /// The lines of each call.
    pub(crate) ledger: BTreeMap<String, Vec<Line>>,
}

/// A verdict that a client got for a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    pub(super) client: &'a str,
    pub(super) at: u64,
    /// Whether the verdict is of the job that resumed a workflow.
    pub(super) resumed: bool,
    pub(super) verdict: &'a Verdict,
}

impl Told<'_> {
    /// Returns the kind of the error, if it is one.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self.verdict {
            Verdict::Value(_) => None,
            Verdict::Error { kind, .. } => Some(*kind),
        }
    }
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

    pub(super) fn all_notes(&self) -> impl Iterator<Item = &Noted> {
        self.notes.values().flatten()
    }

    pub(super) fn lines(&self, call: &str) -> &[Line] {
        self.ledger.get(call).map_or(&[], Vec::as_slice)
    }

    /// Whether any process of the call has begun.
    pub(super) fn began(&self, call: &str) -> bool {
        !self.lines(call).is_empty()
    }

    /// Returns the time at which all processes of a call had returned for the first time.
    pub(super) fn returned_at(&self, call: &Call) -> Option<u64> {
        let lines = self.lines(&call.name);
        let returned = |line: &&Line| line.what == What::Returned;
        let runs = lines.iter().filter(returned).filter_map(|first| {
            let of_rank = |rank: usize| {
                let same = |line: &&Line| {
                    (line.job, line.restart, line.rank) == (first.job, first.restart, rank)
                };
                lines.iter().filter(returned).find(same).map(|line| line.at)
            };
            (0..call.ranks as usize).map(of_rank).collect::<Option<Vec<u64>>>()?.into_iter().max()
        });
        runs.min()
    }

    /// Returns the verdicts that clients got for a call.
    pub(super) fn told(&self, call: &str) -> Vec<Told<'_>> {
        let all = self
            .notes
            .iter()
            .flat_map(|(client, notes)| notes.iter().map(move |noted| (client.as_str(), noted)));
        all.filter_map(|(client, noted)| match &noted.note {
            Note::Told { call: of, resumed, verdict } if of == call => {
                Some(Told { client, at: noted.at, resumed: *resumed, verdict })
            }
            _ => None,
        })
        .collect()
    }

    /// Whether a client got an error for a call, or could not submit it.
    pub(super) fn has_error(&self, unit: &Unit, call: &str) -> bool {
        let part =
            unit.work.parts().iter().position(|calls| calls.iter().any(|one| one.name == call));
        self.told(call).iter().any(|told| told.kind().is_some())
            || self.all_notes().any(|noted| {
                matches!(&noted.note, Note::NotSubmitted { unit: of, part: which, .. }
                    if *of == unit.name && Some(*which) == part)
            })
    }

    pub(super) fn hits(&self, is: impl Fn(&Target) -> bool) -> impl Iterator<Item = &Hit> {
        self.hits.iter().filter(move |hit| is(&hit.what))
    }

    /// Returns the time at which a client first noted that it submits the unit.
    pub(super) fn submitted_at(&self, unit: &Unit) -> u64 {
        let began = self.all_notes().filter(
            |noted| matches!(&noted.note, Note::Submitting { unit: of, .. } if *of == unit.name),
        );
        began.map(|noted| noted.at).min().unwrap_or(0)
    }

    /// Whether the client that submitted this part of a unit was killed, or does not know whether there is a
    /// job.
    pub(super) fn is_open(&self, unit: &str, part: usize) -> bool {
        let began = |noted: &Noted| matches!(&noted.note, Note::Submitting { unit: of, part: which } if of == unit && *which == part);
        self.all_notes().any(began)
            && !self.all_notes().any(|noted| match &noted.note {
                Note::Submitted { unit: of, part: which, .. } => of == unit && *which == part,
                Note::NotSubmitted { unit: of, part: which, verdict } => {
                    of == unit && *which == part && !verdict.is_unknown()
                }
                _ => false,
            })
    }

    /// Returns the time at which the unit was cancelled.
    pub(super) fn cancelled_at(&self, unit: &Unit) -> Option<u64> {
        self.noted_at(|note| matches!(note, Note::Cancelling { unit: of } if *of == unit.name))
    }

    /// Returns the time at which the unit was retried or resumed.
    pub(super) fn tried_again_at(&self, unit: &Unit) -> Option<u64> {
        self.noted_at(|note| matches!(note, Note::Again { unit: of } if *of == unit.name))
    }

    fn noted_at(&self, is: impl Fn(&Note) -> bool) -> Option<u64> {
        self.all_notes().filter(|noted| is(&noted.note)).map(|noted| noted.at).min()
    }
}
