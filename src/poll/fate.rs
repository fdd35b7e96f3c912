//! Decides over time, from the answers of the backend, whether a job has ended or is lost.
//!
//! A terminal state in the queue or the accounting ends a wait after a grace period, because the result may
//! become visible late and the job may return to the queue. If no source lists the job, the wait ends after a
//! longer grace period.
//!
//! The queue decides which jobs are alive: a job that it lists is never given up, and a job that it does not
//! list cannot run. If the accounting does not answer, or has a record of the job without an end, a job that
//! the queue does not list is given up after the longest grace period, because both conditions may last as long
//! as the cluster. While the queue does not answer, no job is given up.

use std::time::{Duration, Instant};

use slurm_core::state::JobState;

use crate::backend::{Cadence, Said, Sighting, Source, Testimony};
use crate::error::LastKnown;

/// The sightings of a job, or of an element of an array.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fate {
    last: Option<Sighting>,
    seen_at: Option<Instant>,
    ended: Option<(Sighting, Instant)>,
    absent: Option<Absence>,
    /// Whether all files of its last run exist.
    is_complete: bool,
    /// The time since which the queue does not answer, and its error.
    silence: Option<(Instant, String)>,
}

/// An absence of the job from the answers of the queue.
#[derive(Clone, Debug)]
struct Absence {
    since: Instant,
    /// The time since which all sources have answered without knowing the job.
    everywhere: Option<Instant>,
    testimony: Testimony,
}

/// The end of a job without a result.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// A source reports its end, or that it can never start.
    Seen(Sighting),
    /// No source lists it; the testimony has the answer of each.
    Lost(Testimony),
}

impl End {
    /// Returns the end of a submission that did not become a job.
    pub(crate) fn never_submitted() -> Self {
        let why = "its client ended before it had submitted the job".to_owned();
        Self::Lost(Testimony::default().with("sbatch", Said::NotThere(why)))
    }
}

impl Fate {
    /// Returns the last sighting.
    pub(crate) fn last(&self) -> Option<&Sighting> {
        self.last.as_ref()
    }

    /// Records a sighting, if there is one, and the answers of the sources that did not list the job. Returns
    /// whether the state has changed.
    pub(crate) fn take_in(&mut self, sighting: Option<&Sighting>, testimony: &Testimony) -> bool {
        let now = Instant::now();
        self.silence = None;
        self.absent = match sighting {
            // The accounting records ends late, or never if a controller has lost its state.
            Some(seen) if seen.source == Source::Accounting && !seen.is_end() => {
                let record = Said::OpenRecord(seen.state.to_string());
                let queue = Testimony::default().with("squeue", Said::NotListed);
                Some(self.absence(now, queue.with("sacct", record)))
            }
            Some(_) => None,
            None => Some(self.absence(now, testimony.clone())),
        };
        let Some(sighting) = sighting else { return false };
        let news = self.last.as_ref().map(|last| &last.state) != Some(&sighting.state);
        // Slurm runs the job again, so the files of the new run do not exist yet.
        self.is_complete &= !(sighting.state.is_pending() && self.has_begun());
        self.last = Some(sighting.clone());
        self.seen_at = Some(now);
        self.ended = sighting.is_end().then(|| {
            let since = self.ended.as_ref().map_or(now, |(_, since)| *since);
            (sighting.clone(), since)
        });
        news
    }

    fn absence(&self, now: Instant, testimony: Testimony) -> Absence {
        let before = self.absent.as_ref();
        let since = before.map_or(now, |absent| absent.since);
        let everywhere = testimony
            .is_complete()
            .then(|| before.and_then(|absent| absent.everywhere).unwrap_or(now));
        Absence { since, everywhere, testimony }
    }

    /// Records that the queue did not answer, and why.
    pub(crate) fn unanswered(&mut self, why: &str) {
        self.absent = None;
        let since = self.silence.as_ref().map_or_else(Instant::now, |(since, _)| *since);
        self.silence = Some((since, why.to_owned()));
    }

    /// Returns the last known status of a job that has not ended.
    pub(crate) fn last_known(&self) -> LastKnown {
        let doubt = match (&self.silence, &self.absent) {
            (Some((since, why)), _) => {
                Some(format!("no answer for {} s: {why}", since.elapsed().as_secs()))
            }
            (None, Some(absent)) => Some(absent.testimony.to_string()),
            (None, None) => None,
        };
        LastKnown {
            status: self.last.as_ref().map(Sighting::status),
            seen: self.seen_at.map(|at| at.elapsed()),
            doubt,
        }
    }

    /// Records whether all files of its run exist. If they do, an end needs no grace period.
    pub(crate) fn is_complete(&mut self, complete: bool) {
        self.is_complete = complete;
    }

    /// Returns whether it has ended with an exit code that announces a result, which may still be hidden.
    pub(crate) fn awaits_result(&self) -> bool {
        let tells = |(sighting, _): &(Sighting, Instant)| sighting.tells_of_result();
        !self.is_complete && self.ended.as_ref().is_some_and(tells)
    }

    /// Returns whether all files of its run exist.
    pub(crate) fn has_all_files(&self) -> bool {
        self.is_complete
    }

    /// Returns whether it was last seen in a state after its start.
    pub(crate) fn has_begun(&self) -> bool {
        self.last.as_ref().is_some_and(|last| !last.state.is_pending())
    }

    /// Returns whether a source has reported its end.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Returns whether the queue has answered and does not list it.
    pub(crate) fn is_absent(&self) -> bool {
        self.absent.is_some()
    }

    /// Returns whether it was pending or running when last seen.
    pub(crate) fn lives(&self) -> bool {
        let lives = |seen: &Sighting| !seen.is_end() && !matches!(seen.state, JobState::Completing);
        self.absent.is_none() && self.last.as_ref().is_some_and(lives)
    }

    /// Returns the end, if there is one and its grace period is over.
    pub(crate) fn settle(&self, cadence: &Cadence) -> Option<End> {
        let over = |since: Instant, grace| since.elapsed() >= grace;
        if let Some((sighting, since)) = &self.ended {
            let or_none = |applies, grace| if applies { grace } else { Duration::ZERO };
            let grace = cadence
                .file_grace
                .max(or_none(sighting.state.may_return(), cadence.return_grace))
                .max(or_none(
                    sighting.tells_of_result() && !self.is_complete,
                    cadence.written_grace,
                ));
            over(*since, grace).then(|| End::Seen(sighting.clone()))
        } else {
            let Absence { since, everywhere, testimony } = self.absent.as_ref()?;
            let is_lost = everywhere.is_some_and(|since| over(since, cadence.lost_after))
                || over(*since, cadence.unconfirmed_after);
            is_lost.then(|| End::Lost(testimony.clone()))
        }
    }
}

impl End {
    /// Returns whether the exit code announces that the runner has written an outcome.
    pub(crate) fn tells_of_result(&self) -> bool {
        matches!(self, Self::Seen(sighting) if sighting.tells_of_result())
    }
}

impl Sighting {
    /// Returns whether the exit code announces that the runner has written an outcome. A task that ends the
    /// process by itself may use the same code.
    fn tells_of_result(&self) -> bool {
        let codes = [slurm_runner::exit::DONE, slurm_runner::exit::FAILED].map(i32::from);
        let by_itself = matches!(self.state, JobState::Completed | JobState::Failed);
        let exit = self.exit.filter(|exit| exit.signal == 0);
        by_itself && exit.is_some_and(|exit| codes.contains(&exit.code))
    }

    /// Returns whether the exit code of the batch script says that it did not start the runner.
    pub(crate) fn is_refusal(&self) -> bool {
        let codes = [slurm_runner::exit::SETUP, slurm_runner::exit::UNFIT].map(i32::from);
        let exit = self.exit.filter(|exit| exit.signal == 0);
        // A task that ends the process by itself may use any code.
        self.state == JobState::Failed
            && self.entered != Some(true)
            && exit.is_some_and(|exit| codes.contains(&exit.code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::Exit;

    const NONE: Duration = Duration::ZERO;
    const HOUR: Duration = Duration::from_secs(3600);
    const AT_ONCE: Cadence = Cadence {
        files: (NONE, NONE),
        survey: (NONE, NONE),
        file_grace: NONE,
        written_grace: NONE,
        return_grace: NONE,
        lost_after: NONE,
        unconfirmed_after: NONE,
        on_the_way: NONE,
    };

    fn not_listed() -> Testimony {
        Testimony::default().with("squeue", Said::NotListed)
    }

    fn what_is_lost(fate: &Fate, cadence: Cadence) -> Option<String> {
        match fate.settle(&cadence)? {
            End::Lost(testimony) => Some(testimony.to_string()),
            End::Seen(sighting) => panic!("{sighting:?}"),
        }
    }

    #[test]
    fn an_open_record_in_the_accounting_alone_keeps_a_job_alive_only_for_a_time() {
        let mut fate = Fate::default();
        let record = Sighting { source: Source::Accounting, ..Sighting::of(JobState::Running) };
        fate.take_in(Some(&record), &not_listed());
        let lost_late = Cadence { unconfirmed_after: HOUR, ..AT_ONCE };
        assert_eq!(what_is_lost(&fate, lost_late), None, "the accounting may lag behind");
        assert_eq!(
            what_is_lost(&fate, AT_ONCE).as_deref(),
            Some("squeue does not list it; sacct still has it as RUNNING")
        );
        fate.take_in(Some(&Sighting::of(JobState::Running)), &not_listed());
        assert_eq!(what_is_lost(&fate, AT_ONCE), None, "a job that the queue lists is alive");
    }

    #[test]
    fn an_accounting_that_does_not_answer_keeps_a_wait_open_only_for_a_time() {
        let mut fate = Fate::default();
        fate.take_in(None, &not_listed().with("sacct", Said::Failed("refused".to_owned())));
        let lost_late = Cadence { unconfirmed_after: HOUR, ..AT_ONCE };
        assert_eq!(what_is_lost(&fate, lost_late), None, "the accounting may answer soon");
        assert_eq!(
            what_is_lost(&fate, AT_ONCE).as_deref(),
            Some("squeue does not list it; sacct failed: refused")
        );
        fate.unanswered("no answer");
        assert_eq!(
            what_is_lost(&fate, AT_ONCE),
            None,
            "nothing is decided while the queue does not answer"
        );
    }

    #[test]
    fn the_last_known_status_names_the_answers_of_the_sources() {
        let mut fate = Fate::default();
        assert_eq!(fate.last_known().to_string(), "no source has reported on it yet");
        let held =
            Sighting { reason: Some("JobHeldUser".to_owned()), ..Sighting::of(JobState::Pending) };
        fate.take_in(Some(&held), &not_listed());
        assert_eq!(
            fate.last_known().to_string(),
            "it is pending: JobHeldUser: it was submitted or put on hold"
        );
        let running = Sighting { nodes: Some("n1".to_owned()), ..Sighting::of(JobState::Running) };
        fate.take_in(Some(&running), &not_listed());
        assert_eq!(fate.last_known().to_string(), "it is running on n1");
        fate.take_in(None, &not_listed().with("sacct", Said::Failed("refused".to_owned())));
        assert_eq!(
            fate.last_known().to_string(),
            "squeue does not list it; sacct failed: refused; 0s ago it was running on n1"
        );
        fate.unanswered("squeue failed: timed out");
        assert_eq!(
            fate.last_known().to_string(),
            "no answer for 0 s: squeue failed: timed out; 0s ago it was running on n1"
        );
    }

    #[test]
    fn a_wait_continues_until_a_written_result_is_visible() {
        let cadence = Cadence { written_grace: HOUR, ..AT_ONCE };
        let is_given_up = |state, code, signal| {
            let exit = Some(Exit { code, signal });
            let mut fate = Fate::default();
            let sighting = Sighting { exit, ..Sighting::of(state) };
            fate.take_in(Some(&sighting), &Testimony::default());
            fate.settle(&cadence).is_some()
        };
        assert!(!is_given_up(JobState::Completed, 0, 0));
        let mut fate = Fate::default();
        fate.take_in(Some(&Sighting::of(JobState::Running)), &Testimony::default());
        fate.is_complete(true);
        fate.take_in(Some(&Sighting::of(JobState::Pending)), &Testimony::default());
        let exit = Some(Exit::default());
        let completed = Sighting { exit, ..Sighting::of(JobState::Completed) };
        fate.take_in(Some(&completed), &Testimony::default());
        assert!(fate.settle(&cadence).is_none(), "only the files of the earlier run were complete");
        let failed = i32::from(slurm_runner::exit::FAILED);
        assert!(!is_given_up(JobState::Failed, failed, 0));
        assert!(is_given_up(JobState::Failed, 1, 0), "any program may use this code");
        assert!(is_given_up(JobState::Failed, 7, 0), "the runner does not use this code");
        assert!(is_given_up(JobState::Failed, 0, 9), "killed");
        assert!(is_given_up(JobState::Cancelled, 0, 0), "it did not end by itself");
    }
}
