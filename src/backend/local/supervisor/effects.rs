//! Carries out what the core decides.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::sync::mpsc::Sender;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use slurm_core::ids::JobId;

use super::core::{Action, Core, Entry, Event, Identity, Jobs, Machine, Moment, RunFiles};
use super::environment::Environments;
use super::ids::LastId;
use super::journal::{self, Journal};
use super::marks::Marks;
use super::run::Message;
use super::{identity, log, memory, outcome, process, traces};
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::{JobRequest, Place, Reply, Request, SubmissionKey, host};

/// The core, with the means to do what it decides.
#[derive(Debug)]
pub(super) struct Supervisor {
    core: Core,
    effects: Effects,
}

#[derive(Debug)]
struct Effects {
    journal: Journal,
    environments: Environments,
    last_id: LastId,
    events: Sender<Message>,
    /// The answer to the request at hand.
    reply: Option<Reply>,
    /// What the journal could not take, because the disk was full for example.
    unwritten: VecDeque<Entry>,
    /// What waits for those entries: until the end of a run is in the journal, its marks and its environment tell the next
    /// supervisor of it.
    removals: Vec<Removal>,
}

/// Something that means nothing once the journal has all entries.
#[derive(Debug)]
enum Removal {
    Marks(RunFiles),
    Environment(SubmissionKey),
}

impl Supervisor {
    /// Reads the files at `place`, and takes over what the supervisor before this one has left.
    pub(super) fn new(place: &Place, whole: Capacity, events: Sender<Message>) -> io::Result<Self> {
        let path = place.journal();
        let (mut entries, mut dropped) = journal::read(&path)?;
        let known: BTreeSet<String> = entries.iter().filter_map(Entry::submission).collect();
        let others = Environments::others(&place.environments(), &known);
        if !others.is_empty() {
            log(&format!("{}: {} submissions are missing in it", path.display(), others.len()));
        }
        entries.splice(0..0, others.into_iter().map(|(id, request)| Entry::submitted(id, request)));
        let mut core = Core::new(Machine { whole, host: host(), boot: identity::boot() });
        for entry in entries {
            dropped += usize::from(core.replay(entry).is_err());
        }
        if dropped > 0 {
            log(&format!("{}: {dropped} lines cannot be read and are dropped", path.display()));
        }
        core.forget(now().clock);
        let journal = Journal::write(&path, &core.entries())?;
        let open = core.open_submissions().collect();
        let environments = Environments::open(place.environments(), &open)?;
        let (last_id, last) = LastId::open(place, core.last_id())?;
        core.skip_ids(last);
        let effects = Effects {
            journal,
            environments,
            last_id,
            events,
            reply: None,
            unwritten: VecDeque::new(),
            removals: Vec::new(),
        };
        let mut supervisor = Self { core, effects };
        let found = traces::of_all(supervisor.core.jobs());
        supervisor.on(Event::TakeOver(found));
        Ok(supervisor)
    }

    /// Reacts to an event, and to all that follows from it.
    pub(super) fn on(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.core.on(event, now()) {
                events.extend(self.effects.carry_out(action, self.core.jobs()));
            }
        }
    }

    /// Answers a request.
    pub(super) fn answer(&mut self, request: Request) -> Option<Reply> {
        self.on(Event::Request(request));
        self.effects.reply.take()
    }

    /// From now on, every append to the journal fails as on a full disk. Returns the journal's file.
    #[cfg(test)]
    pub(super) fn fill_disk(&mut self) -> std::fs::File {
        self.effects
            .journal
            .append_to(std::fs::File::options().append(true).open("/dev/full").unwrap())
    }

    /// There is room again.
    #[cfg(test)]
    pub(super) fn empty_disk(&mut self, file: std::fs::File) {
        self.effects.journal.append_to(file);
    }

    pub(super) fn is_busy(&self) -> bool {
        self.core.is_busy()
    }

    pub(super) fn next_alarm(&self) -> Option<Instant> {
        self.core.next_alarm(now())
    }

    /// Whether [`Event::Tidy`] has something to do.
    pub(super) fn is_untidy(&self) -> bool {
        !self.is_busy() && self.effects.journal.has_grown()
    }
}

impl Effects {
    /// Carries out an action, and returns its answer if it has one.
    fn carry_out(&mut self, action: Action, jobs: &Jobs) -> Option<Event> {
        match action {
            Action::Append(entry) => self.append(entry),
            Action::Commit(entry) => {
                self.write_rest();
                let result = self.journal.append(&entry).map_err(|error| error.to_string());
                return Some(Event::Committed(entry, result));
            }
            Action::GiveOut(last) => self.last_id.note(last),
            Action::Keep { request, entry } => {
                let result = self.keep(&request, &entry);
                return Some(Event::Kept(entry, result));
            }
            Action::Start { job, entry } => {
                let processes = self.start(job, &entry, jobs).map_err(|error| error.to_string());
                return Some(Event::Started { job, processes });
            }
            Action::Signal { processes, signal, reach } => {
                process::signal_all(&processes, signal, reach);
            }
            Action::AskHandlers { job, processes, signal } => {
                let ready = |process: &Identity| !process.is_alive() || process.handles(signal);
                return Some(Event::Handlers { job, ready: processes.iter().all(ready) });
            }
            Action::Examine { files, outcome } => {
                let left = outcome::examine(&files, outcome);
                return Some(Event::Examined { job: files.job, left });
            }
            Action::Measure(limited) => {
                return Some(Event::OverLimit(memory::over_limit(&limited)));
            }
            Action::Publish(files) => outcome::publish_value(&files),
            Action::RemoveMarks(files) => self.remove(Removal::Marks(files)),
            Action::Forget(key) => self.remove(Removal::Environment(key)),
            Action::EndLeft(runs) => {
                identity::end_what_is_left(&runs.into_iter().collect::<HashMap<_, _>>());
            }
            Action::Watch { files, process } => {
                process::watch_adopted(&files, &process, self.events.clone());
            }
            Action::Rewrite(entries) => match self.journal.rewrite(&entries) {
                Ok(()) => {
                    self.unwritten.clear();
                    self.remove_all();
                }
                Err(error) => log(&format!("the journal cannot be rewritten: {error}")),
            },
            Action::Reply(reply) => self.reply = Some(reply),
        }
        None
    }

    fn append(&mut self, entry: Entry) {
        self.unwritten.push_back(entry);
        self.write_rest();
    }

    /// Appends what the journal does not have yet, and then removes what waited for that.
    fn write_rest(&mut self) {
        while let Some(entry) = self.unwritten.front() {
            if let Err(error) = self.journal.append(entry) {
                log(&format!("{entry:?} cannot be written into the journal: {error}"));
                return;
            }
            self.unwritten.pop_front();
        }
        self.remove_all();
    }

    fn remove(&mut self, removal: Removal) {
        self.removals.push(removal);
        if self.unwritten.is_empty() {
            self.remove_all();
        }
    }

    fn remove_all(&mut self) {
        for removal in self.removals.drain(..) {
            match removal {
                Removal::Marks(files) => Marks::of(&files).remove(),
                Removal::Environment(key) => self.environments.forget(&key),
            }
        }
    }

    fn keep(&mut self, request: &JobRequest, entry: &Entry) -> Result<(), String> {
        self.write_rest();
        self.environments
            .keep(entry.id(), request)
            .map_err(|error| format!("the job's environment cannot be kept: {error}"))?;
        self.journal.append(entry).map_err(|error| {
            self.environments.forget(&request.key());
            format!("the journal cannot be written: {error}")
        })
    }

    fn start(&mut self, id: JobId, entry: &Entry, jobs: &Jobs) -> io::Result<Vec<(u32, Identity)>> {
        let known = jobs.job(id).zip(jobs.find(id));
        let (job, (array, _)) = known.ok_or_else(|| io::Error::other("the job is not known"))?;
        let files = job.files();
        self.write_rest();
        outcome::clear_outcome(&files);
        let environment = self.environments.read(&job.request.key());
        let started = environment.and_then(|environment| {
            // Once a start is noted, its marks tell whether the job ran.
            Marks::of(&files).prepare()?;
            self.journal.append(entry)?;
            process::start(array, job, &environment, &self.events, |rank, process| {
                // If it cannot be noted, it can be found by its environment and command line.
                let spawned = Entry::Spawned { id, rank, process };
                if let Err(error) = self.journal.append(&spawned) {
                    log(&format!("process {} of job {id} cannot be noted: {error}", process.pid));
                }
            })
        });
        if started.is_err() {
            Marks::of(&files).remove();
        }
        started
    }
}

/// Returns the time.
pub(super) fn now() -> Moment {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Moment { at: Instant::now(), clock: u64::try_from(clock.as_millis()).unwrap_or(u64::MAX) }
}
