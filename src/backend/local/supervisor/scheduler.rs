//! Which job runs when.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;
use slurm_core::ids::{JobId, PreId};
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Outcome};
use slurm_core::state::JobState;

use super::dependency::{self, Verdict};
use super::job::{Alarms, LocalJob, Process, Run};
use super::journal::{self, Entry, Journal};
use super::{Event, process};
use crate::backend::Exit;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::protocol::{JobRequest, Place, Reply, Request, Status};

/// Between SIGTERM and SIGKILL.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// All jobs, and what the machine has left for them.
///
/// Jobs start in the order of their submission. One whose dependencies are not met lets others pass; one
/// that waits for resources does not, so that a large job is not kept out by small ones for ever.
#[derive(Debug)]
pub(super) struct Scheduler {
    whole: Capacity,
    free: Capacity,
    free_gpus: BTreeSet<u32>,
    jobs: BTreeMap<JobId, LocalJob>,
    unfinished: BTreeSet<JobId>,
    submissions: HashMap<PreId, JobId>,
    last_id: u32,
    journal: Journal,
    events: Sender<Event>,
}

impl Scheduler {
    pub(super) fn new(place: &Place, whole: Capacity, events: Sender<Event>) -> io::Result<Self> {
        let (journal, jobs, last_id) = Journal::open(&place.journal())?;
        let mut scheduler = Self {
            whole,
            free: whole,
            free_gpus: (0..whole.gpus).collect(),
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
        // `after:ID+minutes` comes true by itself.
        let waits_for_time =
            |id| self.jobs.get(id).is_some_and(|job| job.request.dependency.is_some());
        let recheck = self.unfinished.iter().any(waits_for_time);
        alarms.chain(recheck.then(|| Instant::now() + Duration::from_secs(1))).min()
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

    fn submit(&mut self, request: JobRequest) -> Reply {
        if let Some(id) = self.submissions.get(&request.pre_id) {
            return Reply::Submitted(*id);
        }
        let Some(id) = self.last_id.checked_add(1).and_then(JobId::new) else {
            return Reply::Refused("all job ids are used up".to_owned());
        };
        let entry = Entry::Submitted { id, request: Box::new(request.clone()) };
        if let Err(error) = self.journal.append(&entry) {
            return Reply::Refused(format!("the journal cannot be written: {error}"));
        }
        self.last_id = id.get();
        self.submissions.insert(request.pre_id.clone(), id);
        self.jobs.insert(id, LocalJob::new(id, request));
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
        if let Some(run) = self.jobs.get_mut(&id).and_then(|job| job.run.as_mut()) {
            run.ending.get_or_insert(state);
            run.alarms = Alarms { kill: Some(Instant::now() + KILL_WAIT), ..Alarms::default() };
            run.signal(Signal::TERM);
        }
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
            if !granted.fits_into(self.free) {
                self.set_reason(id, "Resources");
                return;
            }
            self.start(id, granted);
        }
    }

    fn set_reason(&mut self, id: JobId, reason: &str) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.reason = Some(reason.to_owned());
        }
    }

    fn start(&mut self, id: JobId, granted: Capacity) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let gpus: Vec<u32> = self.free_gpus.iter().copied().take(granted.gpus as usize).collect();
        // Before the processes exist: a supervisor that dies in between leaves a job that counts as
        // lost with its node, and not one that runs twice.
        let noted = self.journal.append(&Entry::Started { id, at: journal::now() });
        let started = noted.and_then(|()| process::start(job, granted, &gpus, &self.events));
        match started {
            Ok(processes) => {
                job.started_at = Some(SystemTime::now());
                let alarms = Alarms::new(&job.request, Duration::ZERO);
                self.occupy(id, Run { granted, gpus, processes, ending: None, alarms });
            }
            Err(error) => {
                let reason = format!("its processes cannot be started: {error}");
                // What Slurm reports when a job's files cannot be opened.
                self.end(id, JobState::Failed, Some(reason), Some(Exit { code: 0, signal: 53 }));
            }
        }
    }

    fn occupy(&mut self, id: JobId, run: Run) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        self.free = self.free.less(run.granted);
        run.gpus.iter().for_each(|gpu| {
            self.free_gpus.remove(gpu);
        });
        job.state = JobState::Running;
        job.reason = None;
        job.request.environment = Vec::new();
        job.run = Some(run);
    }

    /// Notes the end of a process, and that of its job if it was the last.
    pub(super) fn exited(&mut self, id: JobId, pid: u32, exit: Option<Exit>) {
        let Some(job) = self.jobs.get_mut(&id) else { return };
        let Some(run) = job.run.as_mut() else { return };
        let Some(process) = run.processes.iter_mut().find(|process| process.pid == pid) else {
            return;
        };
        (process.ended, process.exit) = (true, exit);
        let failed = exit.is_some_and(|exit| exit != Exit::default());
        if run.processes.iter().all(|process| process.ended) {
            self.conclude(id);
        } else if failed && run.alarms.kill.is_none() {
            // As `srun --kill-on-bad-exit`: the others would wait for it for ever.
            run.alarms.kill = Some(Instant::now() + KILL_WAIT);
            run.signal(Signal::TERM);
        }
    }

    /// Ends a job whose processes have all ended.
    fn conclude(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let Some(run) = &job.run else { return };
        let known: Option<Vec<Exit>> = run.processes.iter().map(|process| process.exit).collect();
        let bad =
            known.as_ref().and_then(|exits| exits.iter().find(|exit| **exit != Exit::default()));
        let natural = match (&known, bad) {
            (Some(_), None) => JobState::Completed,
            (Some(_), Some(_)) => JobState::Failed,
            // Adopted processes: only the result tells.
            (None, _) => state_by_result(job).unwrap_or(JobState::Failed),
        };
        // One that was told to end but had just finished by itself has finished.
        let state = match &run.ending {
            Some(ending) if natural != JobState::Completed => ending.clone(),
            _ => natural,
        };
        if state == JobState::Completed && job.request.tasks > 1 {
            let dir = JobDir::at(&job.request.dir);
            let _ = std::fs::rename(dir.value(), dir.result());
        }
        let exit = bad.copied().or(known.map(|_| Exit::default()));
        self.end(id, state, None, exit);
    }

    fn end(&mut self, id: JobId, state: JobState, reason: Option<String>, exit: Option<Exit>) {
        let at = journal::now();
        let entry = Entry::Ended { id, at, state: state.clone(), reason: reason.clone(), exit };
        if let Err(error) = self.journal.append(&entry) {
            log(&format!("the end of job {id} cannot be noted: {error}"));
        }
        self.unfinished.remove(&id);
        let Some(job) = self.jobs.get_mut(&id) else { return };
        (job.state, job.reason, job.exit) = (state, reason, exit);
        job.request.environment = Vec::new();
        if let Some(run) = job.run.take() {
            self.free.cpus += run.granted.cpus;
            self.free.memory_mib += run.granted.memory_mib;
            self.free.gpus += run.granted.gpus;
            self.free_gpus.extend(run.gpus);
        }
    }

    /// Takes over a job from the supervisor that was there before.
    fn take_over(&mut self, id: JobId) {
        let Some(job) = self.jobs.get(&id) else { return };
        let was_running = job.started_at.is_some();
        let pids = if was_running { process::find(&job.request.script) } else { Vec::new() };
        if pids.is_empty() {
            if was_running {
                let state = state_by_result(job).unwrap_or(JobState::NodeFail);
                self.end(id, state, Some("its supervisor was gone when it ended".to_owned()), None);
            }
            return;
        }
        for pid in &pids {
            process::watch_adopted(id, *pid, &job.request.script, self.events.clone());
        }
        let ago = job.started_at.and_then(|at| at.elapsed().ok()).unwrap_or_default();
        let processes =
            pids.iter().map(|pid| Process { pid: *pid, ended: false, exit: None }).collect();
        let granted = job.request.needs.granted_of(self.whole);
        let gpus = self.free_gpus.iter().copied().take(granted.gpus as usize).collect();
        let alarms = Alarms::new(&job.request, ago);
        self.occupy(id, Run { granted, gpus, processes, ending: None, alarms });
    }
}

impl Run {
    fn signal(&self, signal: Signal) {
        let alive = self.processes.iter().filter(|process| !process.ended);
        alive.for_each(|process| process::signal(process.pid, signal));
    }
}

fn state_by_result(job: &LocalJob) -> Option<JobState> {
    let bytes = std::fs::read(JobDir::at(&job.request.dir).result()).ok()?;
    let (outcome, _) = Outcome::from_bytes(&bytes).ok()?;
    Some(match outcome.ending {
        Ending::Value(_) => JobState::Completed,
        Ending::Failure(_) => JobState::Failed,
    })
}

#[allow(clippy::print_stderr, reason = "standard error is the supervisor's log file")]
fn log(message: &str) {
    eprintln!("slurm-sdk: {message}");
}
