//! What the backend has said of a job over time.
//!
//! A terminal state in the queue or the accounting ends a wait once it has lasted for a grace period, in
//! which the result may still become visible or the job return to the queue; absence everywhere does
//! after a longer one. A source that does not answer decides nothing.

use std::time::{Duration, Instant};

use slurm_core::state::JobState;

use crate::backend::{Cadence, Sighting};

/// What has been seen of a job, or of an element of an array.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    last: Option<Sighting>,
    ended: Option<(Sighting, Instant)>,
    absent_since: Option<Instant>,
}

/// The end of a job that left no result.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// It ended, or can never start.
    Seen(Sighting),
    /// Nobody knows it any more.
    Lost,
}

impl Fate {
    /// Returns what was seen last.
    pub(crate) fn last(&self) -> Option<&Sighting> {
        self.last.as_ref()
    }

    /// Takes in what was seen, if anything was; `doubtful` if not every source has answered. Returns
    /// whether it is news.
    pub(crate) fn take_in(&mut self, sighting: Option<&Sighting>, doubtful: bool) -> bool {
        let now = Instant::now();
        let Some(sighting) = sighting else {
            self.absent_since = (!doubtful).then(|| self.absent_since.unwrap_or(now));
            return false;
        };
        self.absent_since = None;
        let news = self.last.as_ref().map(|last| &last.state) != Some(&sighting.state);
        self.last = Some(sighting.clone());
        self.ended = sighting.is_end().then(|| {
            let since = self.ended.as_ref().map_or(now, |(_, since)| *since);
            (sighting.clone(), since)
        });
        news
    }

    /// Takes in that nobody answered.
    pub(crate) fn unanswered(&mut self) {
        self.absent_since = None;
    }

    /// Returns whether it has ended, as far as was seen.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Returns whether it waits or runs, by what was seen last.
    pub(crate) fn lives(&self) -> bool {
        let lives = |seen: &Sighting| !seen.is_end() && !matches!(seen.state, JobState::Completing);
        self.absent_since.is_none() && self.last.as_ref().is_some_and(lives)
    }

    /// Returns the end, if there is one and its time of grace is over.
    pub(crate) fn settle(&self, cadence: &Cadence) -> Option<End> {
        let over = |since: Instant, grace| since.elapsed() >= grace;
        if let Some((sighting, since)) = &self.ended {
            let or_none = |applies, grace| if applies { grace } else { Duration::ZERO };
            let grace = cadence
                .file_grace
                .max(or_none(sighting.state.may_return(), cadence.return_grace))
                .max(or_none(sighting.tells_of_result(), cadence.written_grace));
            over(*since, grace).then(|| End::Seen(sighting.clone()))
        } else {
            let lost = self.absent_since.is_some_and(|since| over(since, cadence.lost_after));
            lost.then_some(End::Lost)
        }
    }
}

impl Sighting {
    /// Returns whether the job will not run on: it has ended, or waits for what cannot happen.
    pub(crate) fn is_end(&self) -> bool {
        self.state.is_terminal() || self.waits_in_vain()
    }

    /// Returns whether the runner has said that it wrote what the job came to. A task that ends the process
    /// by itself may say the same.
    fn tells_of_result(&self) -> bool {
        let codes = [slurm_runner::exit::DONE, slurm_runner::exit::FAILED].map(i32::from);
        let by_itself = matches!(self.state, JobState::Completed | JobState::Failed);
        let exit = self.exit.filter(|exit| exit.signal == 0);
        by_itself && exit.is_some_and(|exit| codes.contains(&exit.code))
    }

    /// Returns whether the job waits for a job that did not end as it should have.
    pub(crate) fn waits_in_vain(&self) -> bool {
        self.state.is_pending() && self.reason.as_deref() == Some("DependencyNeverSatisfied")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Exit;

    #[test]
    fn a_result_that_was_written_is_waited_for() {
        let cadence = Cadence {
            files: (Duration::ZERO, Duration::ZERO),
            survey: (Duration::ZERO, Duration::ZERO),
            file_grace: Duration::ZERO,
            written_grace: Duration::from_secs(3600),
            return_grace: Duration::ZERO,
            lost_after: Duration::ZERO,
            on_the_way: Duration::ZERO,
        };
        let is_given_up = |state, code, signal| {
            let exit = Some(Exit { code, signal });
            let mut fate = Fate::default();
            fate.take_in(Some(&Sighting { exit, ..Sighting::of(state) }), false);
            fate.settle(&cadence).is_some()
        };
        assert!(!is_given_up(JobState::Completed, 0, 0));
        assert!(!is_given_up(JobState::Failed, 1, 0));
        assert!(is_given_up(JobState::Failed, 7, 0), "no code of the runner");
        assert!(is_given_up(JobState::Failed, 0, 9), "killed");
        assert!(is_given_up(JobState::Cancelled, 0, 0), "not by itself");
    }
}
