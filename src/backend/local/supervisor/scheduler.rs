//! Which job runs when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use slurm_core::ids::{JobId, PreId};
use slurm_core::state::JobState;

use super::dependency::{self, Verdict};
use super::environment::Environments;
use super::job::{Alarms, LocalJob, Run};
use super::journal::{self, Entry, Journal};
use super::{Event, log, process};
use crate::backend::Exit;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::{JobRequest, Place, Reply, Request, Status};

/// Between SIGTERM and SIGKILL.
pub(super) const KILL_WAIT: Duration = Duration::from_secs(5);

/// All jobs, and what the machine has for them.
///
/// Jobs start in the order of their submission. One whose dependencies are not met lets others pass; one
/// that waits for resources does not, so that a large job is not kept out by small ones for ever.
#[derive(Debug)]
pub(super) struct Scheduler {
    whole: Capacity,
    pub(super) jobs: BTreeMap<JobId, LocalJob>,
    unfinished: BTreeSet<JobId>,
    submissions: HashMap<PreId, JobId>,
    last_id: u32,
    journal: Journal,
    environments: Environments,
    pub(super) events: Sender<Event>,
}

impl Scheduler {
    pub(super) fn new(place: &Place, whole: Capacity, events: Sender<Event>) -> io::Result<Self> {
        let (journal, jobs, last_id) = Journal::open(&place.journal())?;
        let waits = |job: &&LocalJob| !job.has_ended() && job.run.is_none();
        let waiting = jobs.values().filter(waits).map(|job| job.request.pre_id.clone()).collect();
        let mut scheduler = Self {
            whole,
            environments: Environments::open(place.environments(), &waiting)?,
            unfinished: jobs.values().filter(|job| !job.has_ended()).map(|job| job.id).collect(),
            submissions: jobs.values().map(|job| (job.request.pre_id.clone(), job.id)).collect(),
            jobs,
            last_id,
            journal,
            events,
        };
        for id in scheduler.unfinished.clone() {
            scheduler.take_over(id);
        }
        Ok(scheduler)
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.unfinished.is_empty()
    }

    pub(super) fn next_alarm(&self) -> Option<Instant> {
        let alarm = |id| self.jobs.get(id)?.run.as_ref()?.alarms.next();
        let alarms = self.unfinished.iter().filter_map(alarm);
        let (now, find) = (Instant::now(), |id| self.jobs.get(&id));
        let waiting = self.unfinished.iter().filter_map(|id| find(*id));
        let waiting = waiting.filter(|job| job.run.is_none());
        let times = waiting.filter_map(|job| dependency::next_time(job, &find));
        alarms.chain(times.filter_map(|wait| now.checked_add(wait))).min()
    }

    /// Whether [`Scheduler::tidy`] has something to do.
    pub(super) fn is_untidy(&self) -> bool {
        !self.is_busy() && self.journal.has_grown()
    }

    /// Rewrites a journal that has become long, and forgets old jobs.
    pub(super) fn tidy(&mut self) {
        if let Err(error) = self.journal.compact(&mut self.jobs, self.last_id) {
            log(&format!("the journal cannot be rewritten: {error}"));
        }
        self.submissions.retain(|_, id| self.jobs.contains_key(id));
    }

    pub(super) fn handle(&mut self, request: Request) -> Reply {
        let statuses = |jobs: Vec<&LocalJob>| {
            Reply::Statuses(jobs.into_iter().map(LocalJob::status).collect::<Vec<Status>>())
        };
        match request {
            Request::Submit(request) => self.submit(*request),
            Request::Survey(ids) => {
                statuses(ids.iter().filter_map(|id| self.jobs.get(id)).collect())
            }
            Request::Find(pre_id) => {
                let found = self.submissions.get(&pre_id).and_then(|id| self.jobs.get(id));
                statuses(found.into_iter().collect())
            }
            Request::Cancel(id) => self.cancel(id),
        }
    }

    fn submit(&mut self, mut request: JobRequest) -> Reply {
        if let Some(id) = self.submissions.get(&request.pre_id) {
            return Reply::Submitted(*id);
        }
        let Some(id) = self.last_id.checked_add(1).and_then(JobId::new) else {
            return Reply::Refused("all job ids are used up".to_owned());
        };
        let (pre_id, environment) =
            (request.pre_id.clone(), std::mem::take(&mut request.environment));
        let job = match LocalJob::new(id, request) {
            Ok(job) => job,
            Err(error) => return Reply::Refused(error),
        };
        if let Err(error) = self.environments.keep(&pre_id, &environment) {
            return Reply::Refused(format!("the job's environment cannot be kept: {error}"));
        }
        let entry = Entry::Submitted { id, request: Box::new(job.request.clone()) };
        if let Err(error) = self.journal.append(&entry) {
            self.environments.forget(&pre_id);
            return Reply::Refused(format!("the journal cannot be written: {error}"));
        }
        self.last_id = id.get();
        self.submissions.insert(pre_id, id);
        self.jobs.insert(id, job);
        self.unfinished.insert(id);
        Reply::Submitted(id)
    }

    fn cancel(&mut self, id: JobId) -> Reply {
        match self.jobs.get(&id) {
            None => return Reply::Refused(format!("there is no job {id}")),
            Some(job) if job.has_ended() => {}
            Some(job) if job.run.is_some() => self.stop(id, JobState::Cancelled),
            Some(_) => self.end(id, JobState::Cancelled, None, None),
        }
        Reply::Done
    }

    /// Tells a running job to end; it will have ended in `state`.
    fn stop(&mut self, id: JobId, state: JobState) {
        let Some(run) = self.jobs.get_mut(&id).and_then(|job| job.run.as_mut()) else { return };
        if run.ending.is_some() {
            return;
        }
        // Before the signal: a supervisor that dies in between leaves a job that is killed in time.
        let at = journal::now();
        if let Err(error) = self.journal.append(&Entry::Ending { id, at, state: state.clone() }) {
            log(&format!("that job {id} is told to end cannot be noted: {error}"));
        }
        run.ending = Some((state, at));
        run.alarms = Alarms { kill: Some(Instant::now() + KILL_WAIT), ..Alarms::default() };
        run.signal(Signal::TERM);
    }

    /// Does what time and events have made possible: alarms go off and jobs start.
    pub(super) fn advance(&mut self) {
        let now = Instant::now();
        let due = |alarm: Option<Instant>| alarm.is_some_and(|at| at <= now);
        for id in self.unfinished.clone() {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let Some(run) = job.run.as_mut() else { continue };
            if due(run.alarms.kill) {
                run.alarms.kill = None;
                run.signal(Signal::KILL);
            }
            if due(run.alarms.warn) {
                run.alarms.warn = None;
                if let Some(signal) =
                    job.request.warning.and_then(|(number, _)| Signal::from_named_raw(number))
                {
                    run.signal(signal);
                }
            }
            if due(run.alarms.limit) {
                self.stop(id, JobState::Timeout);
            }
        }
        self.start_what_fits();
    }

    fn start_what_fits(&mut self) {
        for id in self.unfinished.clone() {
            let Some(job) = self.jobs.get(&id).filter(|job| job.run.is_none()) else { continue };
            let same_name = |other: &&LocalJob| other.request.name == job.request.name;
            let singleton_is_free = || {
                !self
                    .unfinished
                    .range(..id)
                    .filter_map(|id| self.jobs.get(id))
                    .any(|job| same_name(&job))
            };
            match dependency::judge(job, &|id| self.jobs.get(&id), singleton_is_free) {
                Verdict::Never => {
                    let reason = Some("DependencyNeverSatisfied".to_owned());
                    self.end(id, JobState::Cancelled, reason, None);
                    continue;
                }
                Verdict::Waiting => {
                    self.set_reason(id, "Dependency");
                    continue;
                }
                Verdict::Met => {}
            }
            let granted = job.request.needs.granted_of(self.whole);
            let (free, free_gpus) = self.free();
            if !granted.fits_into(free) {
                self.set_reason(id, "Resources");
                return;
            }
            let gpus = free_gpus.into_iter().take(granted.gpus as usize).collect();
            self.start(id, granted, gpus);
        }
    }

    /// Returns what no running job holds, and the GPUs by number.
    fn free(&self) -> (Capacity, BTreeSet<u32>) {
        let runs = || self.unfinished.iter().filter_map(|id| self.jobs.get(id)?.run.as_ref());
        let used = runs().fold(Capacity::default(), |used, run| used.plus(run.granted));
        let mut gpus: BTreeSet<u32> = (0..self.whole.gpus).collect();
        runs().flat_map(|run| &run.gpus).for_each(|gpu| {
            gpus.remove(gpu);
        });
        (Capacity { gpus: gpus.len() as u32, ..self.whole.less(used) }, gpus)
    }

    fn set_reason(&mut self, id: JobId, reason: &str) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.reason = Some(reason.to_owned());
        }
    }

    fn start(&mut self, id: JobId, granted: Capacity, gpus: Vec<u32>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let mut run = Run { granted, gpus, ..Run::default() };
        let started = self.environments.read(&job.request.pre_id).and_then(|environment| {
            // Before the processes exist: a supervisor that dies in between leaves a job that counts as
            // lost with its node, and not one that runs twice.
            let (at, gpus) = (journal::now(), run.gpus.clone());
            self.journal.append(&Entry::Started { id, at, granted: Some(granted), gpus })?;
            process::start(job, &run, &environment, &self.events, |process| {
                if let Err(error) = self.journal.append(&Entry::Spawned { id, process }) {
                    // It can be found by its command line too.
                    log(&format!("process {} of job {id} cannot be noted: {error}", process.pid));
                }
            })
        });
        self.environments.forget(&job.request.pre_id);
        match started {
            Ok(processes) => {
                run.processes = processes;
                run.alarms = Alarms::new(&job.request, Duration::ZERO);
                job.started_at = Some(SystemTime::now());
                (job.state, job.reason, job.run) = (JobState::Running, None, Some(run));
            }
            Err(error) => {
                let reason = format!("its processes cannot be started: {error}");
                // What Slurm reports when a job's files cannot be opened.
                self.end(id, JobState::Failed, Some(reason), Some(Exit { code: 0, signal: 53 }));
            }
        }
    }

    /// Notes the end of a process, and that of its job if it was the last.
    pub(super) fn exited(&mut self, id: JobId, pid: u32, exit: Option<Exit>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(run) = job.run.as_mut() else { return };
        let Some(process) = run.processes.iter_mut().find(|process| process.identity.pid == pid)
        else {
            return;
        };
        (process.ended, process.exit) = (true, exit);
        let failed = exit.is_some_and(|exit| exit != Exit::default());
        if run.processes.iter().all(|process| process.ended) {
            self.conclude(id);
        } else if failed {
            // As `srun --kill-on-bad-exit`: the others would wait for it for ever.
            self.stop(id, JobState::Failed);
        }
    }

    pub(super) fn end(
        &mut self,
        id: JobId,
        state: JobState,
        reason: Option<String>,
        exit: Option<Exit>,
    ) {
        let at = journal::now();
        let entry = Entry::Ended { id, at, state: state.clone(), reason: reason.clone(), exit };
        if let Err(error) = self.journal.append(&entry) {
            log(&format!("the end of job {id} cannot be noted: {error}"));
        }
        self.unfinished.remove(&id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        (job.state, job.reason, job.exit) = (state, reason, exit);
        (job.ended_at, job.run) = (Some(at), None);
        self.environments.forget(&job.request.pre_id);
    }
}

impl Run {
    fn signal(&self, signal: Signal) {
        let alive = self.processes.iter().filter(|process| !process.ended);
        alive.for_each(|process| process::signal(process.identity.pid, signal));
    }
}
