//! The core: what it knows, and how it takes events.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use slurm_core::ids::JobId;

use super::dependency;
use super::entry::Entry;
use super::event::{Action, Event, Moment};
use super::jobs::Jobs;
use super::replay;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::SubmissionKey;

/// Jobs that ended longer ago are forgotten.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// All jobs, and what the machine has for them.
#[derive(Debug)]
pub(crate) struct Core {
    pub(super) machine: Machine,
    pub(super) jobs: Jobs,
    submissions: HashMap<SubmissionKey, JobId>,
    /// The highest id that was given out.
    pub(super) last_id: u32,
    /// Whether more could start at once.
    pub(super) more: bool,
    /// The array in front of the queue that seems never to get its resources, and since when.
    pub(super) stuck_since: Option<(JobId, Instant)>,
    /// When the memory of jobs was last measured.
    pub(super) measured_at: Option<Instant>,
    /// What follows from the event at hand.
    pub(super) actions: Vec<Action>,
}

/// The machine that jobs run on.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) whole: Capacity,
    pub(crate) host: String,
    /// Which boot of the machine this is, if that is known.
    pub(crate) boot: Option<String>,
}

impl Core {
    /// Returns a core that knows no jobs.
    pub(crate) fn new(machine: Machine) -> Self {
        Self {
            machine,
            jobs: Jobs::default(),
            submissions: HashMap::new(),
            last_id: 0,
            more: false,
            stuck_since: None,
            measured_at: None,
            actions: Vec::new(),
        }
    }

    /// Takes in an entry of the journal.
    ///
    /// # Errors
    /// It contradicts an entry before.
    pub(crate) fn replay(&mut self, entry: Entry) -> Result<(), String> {
        self.last_id = self.last_id.max(entry.last_id());
        let submission = match &entry {
            Entry::Submitted { id, request } => Some((request.key(), *id)),
            _ => None,
        };
        replay::apply(&mut self.jobs, entry)?;
        self.submissions.extend(submission);
        Ok(())
    }

    /// Reacts to an event, and returns what has to be done, in order.
    pub(crate) fn on(&mut self, event: Event, now: Moment) -> Vec<Action> {
        match event {
            Event::Tick => self.tick(now),
            Event::Request(request) => self.request(request, now),
            Event::Kept(entry, result) => self.kept(entry, result),
            Event::Committed(entry, result) => self.committed(entry, result, now),
            Event::Started { job, processes } => self.started(job, processes, now),
            Event::Exited { job, pid, exit, found } => self.exited(job, pid, exit, &found, now),
            Event::Examined { job, left } => self.examined(job, &left, now),
            Event::Handlers { job, ready } => self.handlers(job, ready, now),
            Event::OverLimit(jobs) => self.over_limit(&jobs, now),
            Event::TakeOver(traces) => self.take_over(traces, now),
            Event::Tidy => {
                self.forget(now.clock);
                self.act(Action::Rewrite(self.entries()));
            }
        }
        std::mem::take(&mut self.actions)
    }

    pub(super) fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Appends an entry to the journal, and does what it tells.
    pub(super) fn note(&mut self, entry: Entry) {
        self.act(Action::Append(entry.clone()));
        let _ = replay::apply(&mut self.jobs, entry);
    }

    /// Forgets jobs that ended long ago.
    pub(crate) fn forget(&mut self, now: u64) {
        let kept = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        self.jobs.forget(now.saturating_sub(kept));
        self.submissions.retain(|_, id| self.jobs.knows(*id));
    }

    /// Returns the entries that tell all that is known.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let last = JobId::new(self.last_id).map(|id| Entry::LastId { id });
        last.into_iter().chain(replay::entries(&self.jobs)).collect()
    }

    /// Returns all jobs that are known.
    pub(crate) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Returns the highest id that was given out.
    pub(crate) fn last_id(&self) -> u32 {
        self.last_id
    }

    /// Marks all ids up to `last` as given out, also those without an entry.
    pub(crate) fn skip_ids(&mut self, last: u32) {
        self.last_id = self.last_id.max(last);
    }

    pub(super) fn submission(&self, key: &SubmissionKey) -> Option<JobId> {
        self.submissions.get(key).copied()
    }

    /// Returns the submissions that have not ended.
    pub(crate) fn open_submissions(&self) -> impl Iterator<Item = SubmissionKey> {
        let open = self.jobs.arrays().filter(|array| !self.jobs.has_ended(array));
        open.map(|array| array.request.key())
    }

    /// Whether there are jobs that run or wait.
    pub(crate) fn is_busy(&self) -> bool {
        self.jobs.running().next().is_some() || self.jobs.waiting().next().is_some()
    }

    /// Returns when [`Event::Tick`] has something to do, if nothing else happens before.
    pub(crate) fn next_alarm(&self, now: Moment) -> Option<Instant> {
        if self.more {
            return Some(now.at);
        }
        let running = self.jobs.running().filter_map(|job| job.alarms.next());
        let waiting = self.jobs.waiting().filter_map(|array| {
            let wait = dependency::next_time(array.dependency.as_ref()?, &self.jobs, now.clock)?;
            now.at.checked_add(wait)
        });
        running.chain(waiting).chain(self.stuck_alarm()).chain(self.memory_alarm(now.at)).min()
    }
}
