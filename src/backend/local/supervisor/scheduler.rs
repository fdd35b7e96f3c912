//! Which job runs when.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use slurm_core::ids::JobId;
use slurm_core::state::JobState;

use super::array::End;
use super::dependency;
use super::environment::Environments;
use super::ids::Ids;
use super::job::{self, Alarms, Parent, Run};
use super::jobs::Jobs;
use super::journal::{self, Entry, Journal};
use super::marks::Marks;
use super::{Event, conclude, identity, log, process, replay};
use crate::backend::Exit;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Gpu;
use crate::backend::local::protocol::{JobRequest, Place, Reply, Request, SubmissionKey};

/// Between SIGTERM and SIGKILL.
pub(super) const KILL_WAIT: Duration = Duration::from_secs(5);

/// Until the next look at a process that does not handle its warning signal yet.
const SOON: Duration = Duration::from_millis(10);

/// All jobs, and what the machine has for them.
///
#[derive(Debug)]
pub(super) struct Scheduler {
    pub(super) whole: Capacity,
    pub(super) jobs: Jobs,
    /// Jobs, and elements of arrays that have started.
    pub(super) unfinished: BTreeSet<JobId>,
    /// Arrays with elements that have not started; others may be among them for a while.
    pub(super) pending_arrays: BTreeSet<JobId>,
    /// Whether more could start at once.
    pub(super) more: bool,
    submissions: HashMap<SubmissionKey, JobId>,
    ids: Ids,
    pub(super) journal: Journal,
    pub(super) environments: Environments,
    /// One in the queue that seems never to get its resources, and since when.
    pub(super) stuck_since: Option<(JobId, Instant)>,
    /// When the memory of jobs was last checked.
    pub(super) memory_seen_at: Option<Instant>,
    pub(super) events: Sender<Event>,
}

impl Scheduler {
    pub(super) fn new(place: &Place, whole: Capacity, events: Sender<Event>) -> io::Result<Self> {
        let others = |known: &BTreeSet<String>| Environments::others(&place.environments(), known);
        let (journal, jobs, last_id) = Journal::open(&place.journal(), others)?;
        let unfinished = || jobs.values().filter(|job| !job.has_ended());
        let arrays = || jobs.arrays().filter(|array| !jobs.has_array_ended(array));
        let open = unfinished().map(|job| job.request.key());
        let open = open.chain(arrays().map(|array| array.request.key())).collect();
        let submitted = jobs.values().filter(|job| job.element.is_none());
        let submitted = submitted.map(|job| (job.request.key(), job.id));
        let submitted_arrays = jobs.arrays().map(|array| (array.request.key(), array.id));
        let mut scheduler = Self {
            whole,
            environments: Environments::open(place.environments(), &open)?,
            unfinished: unfinished().map(|job| job.id).collect(),
            pending_arrays: arrays().map(|array| array.id).collect(),
            more: false,
            submissions: submitted.chain(submitted_arrays).collect(),
            jobs,
            ids: Ids::open(place, last_id)?,
            journal,
            stuck_since: None,
            memory_seen_at: None,
            events,
        };
        scheduler.take_over_all();
        Ok(scheduler)
    }

    pub(super) fn is_busy(&self) -> bool {
        let waits =
            |id: &JobId| self.jobs.array(*id).is_some_and(|array| !array.pending.is_empty());
        !self.unfinished.is_empty() || self.pending_arrays.iter().any(waits)
    }

    pub(super) fn next_alarm(&self) -> Option<Instant> {
        let now = Instant::now();
        if self.more {
            return Some(now);
        }
        let of_dependency = |dependency| {
            dependency::next_time(dependency, &self.jobs).and_then(|wait| now.checked_add(wait))
        };
        let jobs = self.unfinished.iter().filter_map(|id| self.jobs.get(*id));
        let jobs = jobs.filter_map(|job| match &job.run {
            Some(run) => run.alarms.next(),
            None => job.dependency.as_ref().and_then(of_dependency),
        });
        let arrays = self.pending_arrays.iter().filter_map(|id| self.jobs.array(*id));
        let arrays = arrays.filter_map(|array| array.dependency.as_ref().and_then(of_dependency));
        jobs.chain(arrays).chain(self.stuck_alarm()).chain(self.memory_alarm()).min()
    }

    /// Whether [`Scheduler::tidy`] has something to do.
    pub(super) fn is_untidy(&self) -> bool {
        !self.is_busy() && self.journal.has_grown()
    }

    /// Rewrites a journal that has become long, and forgets old jobs.
    pub(super) fn tidy(&mut self) {
        if let Err(error) = self.journal.compact(&mut self.jobs, self.ids.last()) {
            log(&format!("the journal cannot be rewritten: {error}"));
        }
        self.submissions.retain(|_, id| self.jobs.knows(*id));
    }

    pub(super) fn handle(&mut self, request: Request) -> Reply {
        match request {
            Request::Submit(request) => self.submit(*request),
            Request::Survey(ids) => Reply::Statuses(self.survey(&ids)),
            Request::Find { submission_id, part } => {
                let found = self.submissions.get(&SubmissionKey::new(submission_id, part));
                Reply::Statuses(found.map(|id| self.jobs.statuses(*id)).unwrap_or_default())
            }
            Request::Cancel { job, elements } => self.cancel(job, elements.as_ref()),
        }
    }

    fn submit(&mut self, mut request: JobRequest) -> Reply {
        let key = request.key();
        if let Some(id) = self.submissions.get(&key) {
            return Reply::Submitted(*id);
        }
        let Some(id) = self.ids.next() else {
            return Reply::Refused("all job ids are used up".to_owned());
        };
        let within = match Parent::of(id, &request) {
            Ok(within) => within,
            Err(error) => return Reply::Refused(error),
        };
        if let Some(workflow) = within.and_then(|parent| self.jobs.get(parent.id())) {
            request.gpus.clone_from(&workflow.request.gpus);
        }
        match job::dependency(id, &request) {
            Err(error) => return Reply::Refused(error),
            Ok(dependency) => {
                let unknown = dependency.and_then(|of| dependency::unknown(&of, &self.jobs));
                if let Some(unknown) = unknown {
                    return Reply::UnknownDependency(unknown);
                }
            }
        }
        if let Some(reason) = self.no_room_for(&request, within) {
            return Reply::NoRoom(reason);
        }
        let with_environment = request.clone();
        request.environment = Vec::new();
        let entry = Entry::of_submission((id, request));
        // What the next supervisor would not understand is not taken.
        let mut submitted = Jobs::default();
        if let Err(error) = replay::apply(&mut submitted, entry.clone()) {
            return Reply::Refused(error);
        }
        self.ids.give_out(entry.last_id());
        if let Err(error) = self.environments.keep(id, &with_environment) {
            return Reply::Refused(format!("the job's environment cannot be kept: {error}"));
        }
        if let Err(error) = self.journal.append(&entry) {
            self.environments.forget(&key);
            return Reply::Refused(format!("the journal cannot be written: {error}"));
        }
        self.submissions.insert(key, id);
        match submitted.array(id) {
            None => self.unfinished.insert(id),
            Some(_) => self.pending_arrays.insert(id),
        };
        self.jobs.append(submitted);
        Reply::Submitted(id)
    }

    /// Tells a running job to end; it will have ended in `state`.
    pub(super) fn stop(&mut self, id: JobId, state: JobState) {
        self.stop_with(id, state, Signal::TERM);
    }

    /// Tells it so with a signal of choice.
    pub(super) fn stop_with(&mut self, id: JobId, state: JobState, signal: Signal) {
        let Some(run) = self.jobs.get_mut(id).and_then(|job| job.run.as_mut()) else { return };
        if run.ending.is_some() {
            return;
        }
        // Before the signal: a supervisor that dies in between leaves a job that is killed in time.
        let at = journal::now();
        if let Err(error) = self.journal.append(&Entry::Ending { id, at, state: state.clone() }) {
            log(&format!("cannot note that job {id} is told to end: {error}"));
        }
        run.ending = Some((state, at));
        run.alarms = Alarms { kill: Some(Instant::now() + KILL_WAIT), ..Alarms::default() };
        run.signal(signal);
    }

    /// Does what time and events have made possible: alarms go off and jobs start.
    pub(super) fn advance(&mut self) {
        let now = Instant::now();
        let due = |alarm: Option<Instant>| alarm.is_some_and(|at| at <= now);
        let alarmed = self.unfinished.iter().filter(|id| {
            let run = self.jobs.get(**id).and_then(|job| job.run.as_ref());
            run.is_some_and(|run| due(run.alarms.next()))
        });
        for id in alarmed.copied().collect::<Vec<_>>() {
            let Some(job) = self.jobs.get_mut(id) else { continue };
            let Some(run) = job.run.as_mut() else { continue };
            if due(run.alarms.kill) {
                run.alarms.kill = None;
                run.signal(Signal::KILL);
            }
            if due(run.alarms.warn) {
                let signal =
                    job.request.warning.and_then(|(number, _)| Signal::from_named_raw(number));
                if run.would_die_of(signal) {
                    run.alarms.warn = Some(now + SOON);
                } else {
                    run.alarms.warn = None;
                    run.warned_at = Some(SystemTime::now());
                    let entry = Entry::Warned { id, at: journal::now() };
                    if let Err(error) = self.journal.append(&entry) {
                        log(&format!("cannot note that job {id} was warned: {error}"));
                    }
                    signal.into_iter().for_each(|signal| run.warn(signal));
                }
            }
            if due(run.alarms.limit) {
                self.stop(id, JobState::Timeout);
            }
        }
        self.end_what_takes_too_much();
        self.start_what_fits();
    }

    pub(super) fn start(&mut self, id: JobId, granted: Capacity, gpus: Vec<Gpu>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        if job.restarts > 0 {
            conclude::clear_outcome(job);
        }
        let boot = identity::boot();
        let mut run = Run { granted, gpus, boot, ..Run::default() };
        let started = self.environments.read(&job.request.key()).and_then(|environment| {
            // Once a start is noted, its marks tell whether the job ran.
            Marks::of(job).prepare()?;
            let (at, restarts, gpus, boot) =
                (journal::now(), job.restarts, run.gpus.clone(), run.boot.clone());
            let granted = Some(granted);
            self.journal.append(&Entry::Started { id, at, restarts, boot, granted, gpus })?;
            process::start(job, &run, &environment, &self.events, |rank, process| {
                if let Err(error) = self.journal.append(&Entry::Spawned { id, rank, process }) {
                    // It can be found by its command line too.
                    log(&format!("process {} of job {id} cannot be noted: {error}", process.pid));
                }
            })
        });
        match started {
            Ok(processes) => {
                run.processes = processes;
                run.alarms = Alarms::new(&job.request, Duration::ZERO, None);
                job.started_at = Some(SystemTime::now());
                (job.state, job.reason, job.run) = (JobState::Running, None, Some(run));
            }
            Err(error) => {
                Marks::of(job).remove();
                let reason = format!("its processes cannot be started: {error}");
                // What Slurm reports when a job's files cannot be opened.
                self.end(id, JobState::Failed, Some(reason), Some(Exit { code: 0, signal: 53 }));
            }
        }
    }

    /// Notes the end of a process, and that of its job if it was the last.
    pub(super) fn exited(&mut self, id: JobId, pid: u32, exit: Option<Exit>) {
        let Some(job) = self.jobs.get_mut(id) else { return };
        let marks = Marks::of(job);
        let exit = if job.request.tasks > 1 { exit.map(conclude::end_of_part) } else { exit };
        let Some(run) = job.run.as_mut() else { return };
        let Some(process) = run.processes.iter_mut().find(|process| process.identity.pid == pid)
        else {
            return;
        };
        process.ended = true;
        process.exit = exit;
        let failed = match exit {
            Some(exit) => exit != Exit::default(),
            // The process was adopted, so only its mark tells how it ended.
            None => {
                let marks = marks.found();
                process.exit = marks.exit_of(process.rank);
                !marks.never_began() && process.exit != Some(Exit::default())
            }
        };
        let exit = process.exit;
        if failed && run.ending.is_none() {
            run.first_failure = exit;
        }
        if run.processes.iter().all(|process| process.ended) {
            self.conclude(id);
        } else if failed {
            // As `srun --kill-on-bad-exit`: the others would wait for it for ever.
            self.stop(id, JobState::Failed);
        }
    }

    /// Puts a job back into the queue whose run asks for it.
    pub(super) fn requeue(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(id) else { return };
        let (marks, restarts) = (Marks::of(job), job.restarts.saturating_add(1));
        if self.wait_again(id, restarts) {
            marks.remove();
        }
    }

    /// Requeues a job none of whose processes was released.
    ///
    /// Its marks stay until it starts: if the journal loses this line, they still say that the job did not run.
    pub(super) fn put_back(&mut self, id: JobId) {
        let restarts = self.jobs.get(id).map_or(0, |job| job.restarts);
        self.wait_again(id, restarts);
    }

    /// Returns whether the job waits again; one whose requeue cannot be noted ends.
    fn wait_again(&mut self, id: JobId, restarts: u32) -> bool {
        let Some(job) = self.jobs.get_mut(id) else { return false };
        if let Err(error) = self.journal.append(&Entry::Requeued { id, restarts }) {
            let reason = format!("its requeue cannot be noted: {error}");
            self.end(id, JobState::Failed, Some(reason), None);
            return false;
        }
        job.wait_again(restarts);
        true
    }

    pub(super) fn end(
        &mut self,
        id: JobId,
        state: JobState,
        reason: Option<String>,
        exit: Option<Exit>,
    ) {
        let at = journal::now();
        let marks = self.jobs.get(id).map(|job| (job.run.is_some(), Marks::of(job)));
        // A job that was put back has marks, although it does not run.
        let marks = marks.and_then(|(runs, marks)| (runs || marks.are_there()).then_some(marks));
        let entered = marks.as_ref().is_some_and(|marks| marks.found().was_entered());
        let end = End { state, reason, exit, entered };
        let entry = Entry::Ended { id, at, end: end.clone() };
        if let Err(error) = self.journal.append(&entry) {
            log(&format!("the end of job {id} cannot be noted: {error}"));
        }
        if let Some(marks) = marks {
            marks.remove();
        }
        self.unfinished.remove(&id);
        if let Some((request, true)) = self.jobs.end(id, end, at) {
            self.environments.forget(&request.key());
        }
    }
}

impl Run {
    /// Whether a process would die of the warning signal because the script, or the runner, does not handle it yet.
    /// They do so within moments.
    fn would_die_of(&self, warning: Option<Signal>) -> bool {
        let Some(signal @ (Signal::USR1 | Signal::USR2)) = warning else { return false };
        let mut alive = self.processes.iter().filter(|process| !process.ended);
        alive.any(|process| process.identity.is_alive() && !process.identity.handles(signal))
    }

    /// Signals the processes of the job alone, as Slurm does for the batch script. A command that the script runs
    /// before the task would die of it.
    fn warn(&self, signal: Signal) {
        for process in self.processes.iter().filter(|process| !process.ended) {
            process::signal_alone(process.identity.pid, signal);
        }
    }

    fn signal(&self, signal: Signal) {
        let alive = self.processes.iter().filter(|process| !process.ended);
        alive.for_each(|process| process::signal(process.identity.pid, signal));
    }
}
