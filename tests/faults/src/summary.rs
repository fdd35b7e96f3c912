//! The results of the rounds of a run, as a table or as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::inject::Target;
use crate::plan::{Plan, Suite};
use crate::round::Outcome;

/// The results of all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) suite: Suite,
    pub(crate) first_seed: u64,
    pub(crate) rounds: u64,
    pub(crate) calls: usize,
    pub(crate) seconds: f64,
    /// The time of the longest round.
    pub(crate) longest_seconds: f64,
    pub(crate) violations: u64,
    /// The seeds of the rounds with violations.
    pub(crate) seeds: Vec<u64>,
    /// The tallies by the names of the faults.
    pub(crate) faults: BTreeMap<String, Tally>,
}

/// The numbers of rounds in which a fault was planned, in which it hit a target, and in which it hit and there
/// were violations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    pub(crate) planned: u64,
    pub(crate) hit: u64,
    pub(crate) violations: u64,
}

impl Summary {
    pub(crate) fn new(suite: Suite, first_seed: u64) -> Self {
        Self {
            suite,
            first_seed,
            rounds: 0,
            calls: 0,
            seconds: 0.0,
            longest_seconds: 0.0,
            violations: 0,
            seeds: Vec::new(),
            faults: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, plan: &Plan, outcome: &Outcome) {
        self.rounds += 1;
        self.calls += outcome.calls;
        self.longest_seconds = self.longest_seconds.max(outcome.took.as_secs_f64());
        let is_bad = !outcome.violations.is_empty();
        if is_bad {
            self.violations += 1;
            self.seeds.push(plan.seed);
        }
        let hits = outcome.hits.iter().filter(|hit| !matches!(hit.what, Target::Nothing(_)));
        let mut hit: BTreeSet<String> = hits.map(|hit| hit.fault.clone()).collect();
        let mut planned: BTreeSet<String> =
            plan.faults.iter().map(|timed| timed.fault.name()).collect();
        planned.extend(plan.fixed.answers.iter().map(|(command, _, answer)| answer.name(command)));
        // The disk is full from the beginning.
        if plan.units.iter().any(|unit| unit.full_log) {
            planned.insert(FULL_LOG.to_owned());
            hit.insert(FULL_LOG.to_owned());
        }
        for name in planned {
            let tally = self.faults.entry(name.clone()).or_default();
            tally.planned += 1;
            if hit.contains(&name) {
                tally.hit += 1;
                tally.violations += u64::from(is_bad);
            }
        }
    }

    pub(crate) fn took(&mut self, time: Duration) {
        self.seconds = time.as_secs_f64();
    }
}

const FULL_LOG: &str = "log on a full disk";

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rounds, calls, seconds, longest_seconds, violations, first_seed, .. } = self;
        let suite = self.suite.name();
        writeln!(f, "{:<40} {:>8} {:>8} {:>10}", "rounds with", "planned", "hit", "violations")?;
        for (name, tally) in &self.faults {
            let Tally { planned, hit, violations } = tally;
            writeln!(f, "{name:<40} {planned:>8} {hit:>8} {violations:>10}")?;
        }
        write!(
            f,
            "{suite}: {rounds} rounds from seed {first_seed} with {calls} calls in {seconds:.0} s (longest \
             {longest_seconds:.0} s); {violations} with violations"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inject::Hit;
    use crate::plan::{Fault, Timed};

    #[test]
    fn a_fault_counts_once_for_each_round() {
        let mut plan = Plan::new(Suite::Local, 1);
        plan.units.iter_mut().for_each(|unit| unit.full_log = false);
        let timed = |fault| Timed { step: 0, ms: 0, fault };
        let (kill, client) = (Fault::KillSupervisor, Fault::KillClient { pick: 0 });
        plan.faults = vec![timed(kill.clone()), timed(kill.clone()), timed(client.clone())];
        let hit = |fault: &Fault, what| Hit { fault: fault.name(), at: 0, until: 0, what };
        let hits = vec![
            hit(&kill, Target::Supervisor { pid: 1 }),
            hit(&kill, Target::Supervisor { pid: 2 }),
            hit(&client, Target::Nothing(client.clone())),
        ];
        let violations = vec!["wrong".to_owned()];
        let outcome = Outcome { violations, hits, calls: 3, took: Duration::ZERO };
        let mut summary = Summary::new(Suite::Local, 1);
        summary.add(&plan, &outcome);
        summary.add(&plan, &Outcome { violations: Vec::new(), ..outcome });
        let tally = |planned, hit, violations| Tally { planned, hit, violations };
        let expected = [("client killed", tally(2, 0, 0)), ("supervisor killed", tally(2, 2, 1))];
        let expected = expected.map(|(name, tally)| (name.to_owned(), tally));
        assert_eq!(summary.faults, BTreeMap::from(expected));
        assert_eq!((summary.rounds, summary.violations, summary.seeds), (2, 1, vec![1]));
    }
}
