//! The faults that have hit a call.

use super::Evidence;
use crate::inject::{Hit, Target};
use crate::ledger::What;
use crate::plan::{Answer, Call, Cut, Damage, Plan, Unit, Work};

/// The longest delay between an event and its note on a busy machine, in milliseconds.
pub(super) const SLACK: u64 = 5000;

/// A call for which a client got a verdict.
#[derive(Clone, Copy)]
pub(super) struct Case<'a> {
    pub(super) plan: &'a Plan,
    pub(super) evidence: &'a Evidence,
    pub(super) unit: &'a Unit,
    pub(super) call: &'a Call,
    /// The time of the verdict.
    pub(super) at: u64,
}

impl<'a> Case<'a> {
    /// Returns the case of another call of the unit, at the same time.
    pub(super) fn of(self, call: &'a Call) -> Self {
        Self { call, ..self }
    }

    /// Whether any process of the call has begun: in this job if one is named, or else in the
    /// latest attempt to make the call.
    pub(super) fn began_in(self, job: Option<u32>) -> bool {
        let again = self.evidence.tried_again_at(self.unit).filter(|again| *again <= self.at);
        let since = again.filter(|_| job.is_none() && self.array().is_some()).unwrap_or(0);
        let mut lines = self.evidence.lines(&self.call.name).iter();
        lines.any(|line| {
            (since..=self.at).contains(&line.at) && job.is_none_or(|job| line.job == job)
        })
    }

    /// Whether a fault that hit a job with this name, or an element of it, has hit the call.
    fn concerns(self, job: &str, element: Option<u64>) -> bool {
        let Some((calls, chunk, name)) = self.array() else { return job == self.call.name };
        let Some(place) = calls.iter().position(|one| one.name == self.call.name) else {
            return job == self.call.name;
        };
        // The elements of a retried array have other items.
        let again = self.evidence.tried_again_at(self.unit).is_some();
        job == name && (again || element.is_none_or(|element| element == place as u64 / chunk))
    }

    /// Returns the array of the unit: its calls, the number of calls in an element, and its name.
    fn array(self) -> Option<(&'a [Call], u64, String)> {
        match &self.unit.work {
            Work::Array { calls, chunk, .. } => {
                Some((calls, *chunk, format!("{}.array", self.unit.name)))
            }
            Work::Flow { call, array, .. } => Some((array, 1, format!("{}.array", call.name))),
            Work::Job(_) | Work::Chain(_) => None,
        }
    }

    /// Returns the other calls that may have run in the same process.
    pub(super) fn neighbours(self) -> Vec<&'a Call> {
        let Work::Array { calls, chunk, .. } = &self.unit.work else { return Vec::new() };
        let place =
            |name: &str| calls.iter().position(|one| one.name == name).map(|n| n as u64 / chunk);
        let Some(own) = place(&self.call.name) else { return Vec::new() };
        let again = self.evidence.tried_again_at(self.unit).is_some();
        let other =
            |one: &&Call| one.name != self.call.name && (again || place(&one.name) == Some(own));
        calls.iter().filter(other).collect()
    }

    /// Whether the call has a line from this process.
    pub(super) fn ran_in(self, pid: u32) -> bool {
        self.evidence.lines(&self.call.name).iter().any(|line| line.pid == pid)
    }

    /// Whether the result of the call was written before the process `pid` ended. It was if the only thread of
    /// the process had begun another call.
    pub(super) fn is_safe_in(self, pid: u32) -> bool {
        let Work::Array { calls, threads: 1, .. } = &self.unit.work else { return false };
        let lines = self.evidence.lines(&self.call.name);
        let ended = lines.iter().filter(|line| line.pid == pid && line.what != What::Began);
        let Some(ended) = ended.map(|line| line.at).min() else { return false };
        let others = calls.iter().filter(|one| one.name != self.call.name);
        let mut later = others.flat_map(|one| self.evidence.lines(&one.name));
        !self.met_a_full_disk()
            && self.damages(Damage::Segment).next().is_none()
            && later.any(|line| line.pid == pid && line.what == What::Began && line.at > ended)
    }

    /// Returns the processes whose kills may have prevented a value of the call.
    pub(super) fn kills(self) -> impl Iterator<Item = u32> {
        let lines = self.evidence.lines(&self.call.name);
        self.evidence.hits.iter().filter(move |hit| hit.at <= self.at).filter_map(move |hit| {
            let Target::Runner { job, element, pid } = &hit.what else { return None };
            // A call that had ended in another process and was not to run again is not hit.
            let last = lines.iter().max_by_key(|line| line.at);
            let was_done = self.call.ranks == 1
                && last.is_some_and(|last| {
                    matches!(last.what, What::Returned | What::Failed)
                        && last.pid != *pid
                        && last.at < hit.at
                        && !self.is_tried_again(last.at, hit.at)
                });
            let hit_it = self.concerns(job, *element) && !was_done && !self.is_safe_in(*pid);
            hit_it.then_some(*pid)
        })
    }

    /// Whether the call was to run again between these times, because a client got an error for it.
    fn is_tried_again(self, from: u64, until: u64) -> bool {
        let again = self.evidence.tried_again_at(self.unit);
        again.filter(|again| (from..=until).contains(again)).is_some_and(|again| {
            let told = self.evidence.told(&self.call.name);
            told.iter().any(|told| told.at <= again && told.kind().is_some())
        })
    }

    /// Returns the damages to files of this kind that belong to the call.
    pub(super) fn damages(self, kind: Damage) -> impl Iterator<Item = (&'a Hit, Cut)> {
        self.evidence.hits.iter().filter(move |hit| hit.at <= self.at).filter_map(move |hit| {
            let Target::File { job, what, element, cut, .. } = &hit.what else { return None };
            (*what == kind && self.concerns(job, *element)).then_some((hit, *cut))
        })
    }

    pub(super) fn is_damaged(self) -> bool {
        [Damage::Spec, Damage::Result, Damage::Segment]
            .into_iter()
            .any(|kind| self.damages(kind).next().is_some())
    }

    /// Whether the disk was full between the submission of the unit and the verdict.
    pub(super) fn met_a_full_disk(self) -> bool {
        let submitted = self.evidence.submitted_at(self.unit);
        self.evidence
            .hits(|hit| matches!(hit, Target::Disk))
            .any(|hit| hit.at <= self.at && hit.until >= submitted)
    }

    /// Whether the journal has lost lines of the job (`None` if it has not), and whether the job had ended by
    /// then.
    pub(super) fn lost_lines(self) -> Option<bool> {
        let mut lost =
            self.evidence.hits.iter().filter(|hit| hit.at <= self.at).filter_map(|hit| {
                let Target::Journal { jobs, ended } = &hit.what else { return None };
                let names = |names: &[String]| names.iter().any(|name| self.concerns(name, None));
                names(jobs).then(|| names(ended))
            });
        let first = lost.next()?;
        Some(first || lost.any(|ended| ended))
    }

    /// Whether the exit code of the process that ended at `end` may be lost: the supervisor that waited for the
    /// process was killed, or could not write to a full disk.
    pub(super) fn exit_is_lost(self, end: Option<u64>) -> bool {
        let lines = self.evidence.lines(&self.call.name);
        let began = lines.iter().map(|line| line.at).min();
        let from = began.unwrap_or_else(|| self.evidence.submitted_at(self.unit));
        let until = match end {
            Some(end) if !self.met_a_full_disk() => end.saturating_add(SLACK),
            _ => self.at,
        };
        self.lost_lines().is_some()
            || self
                .evidence
                .hits(|hit| matches!(hit, Target::Supervisor { .. }))
                .any(|hit| hit.until.saturating_add(SLACK) >= from && hit.at <= until.min(self.at))
    }

    /// Whether such a daemon was stopped between the submission and the verdict.
    pub(super) fn daemon_was_away(self, name: impl Fn(&str) -> bool) -> bool {
        let submitted = self.evidence.submitted_at(self.unit);
        self.evidence.hits.iter().any(|hit| {
            matches!(&hit.what, Target::Daemon { name: of, .. } if name(of))
                && hit.at <= self.at
                && hit.until.saturating_add(SLACK) >= submitted
        })
    }

    /// Returns the planned answers that calls of a Slurm command got for the job with this name. `None` stands
    /// for any job.
    pub(super) fn answers(
        self,
        command: &str,
        job: Option<&str>,
    ) -> impl Iterator<Item = &'a Answer> {
        let met = self.evidence.hits.iter().filter(move |hit| hit.at <= self.at);
        met.filter_map(move |hit| {
            let Target::Answered { command: of, call, job: whose } = &hit.what else { return None };
            let is_it = of == command && job.is_none_or(|job| job == whose);
            let mut planned = self.plan.fixed.answers.iter().rev();
            let found = planned.find(|(of, number, _)| of == command && number == call);
            found.filter(|_| is_it).map(|(_, _, answer)| answer)
        })
    }

    /// Returns the name of the job in which the call runs.
    pub(super) fn job(self) -> String {
        let element =
            self.array().filter(|(calls, ..)| calls.iter().any(|one| one.name == self.call.name));
        element.map_or_else(|| self.call.name.clone(), |(.., name)| name)
    }

    /// Whether connections over SSH were cut or frozen, or their shells were killed, before the verdict.
    pub(super) fn connection_was_hit(self) -> bool {
        let connection = |hit: &Target| matches!(hit, Target::Connection | Target::Shell { .. });
        self.evidence.hits(connection).any(|hit| hit.at <= self.at)
    }
}
