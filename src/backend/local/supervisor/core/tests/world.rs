//! A world in which everything that the core asks for happens at once, and processes end when a test says so.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::RunMark;

use super::super::{Action, Core, Entry, Event, Found, Identity, Left, Machine, Moment, Reach};
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Installed;
use crate::backend::local::protocol::{ArrayRequest, JobRequest, Reply, Request, Status};
use crate::backend::{Exit, Indices};

pub(super) struct World {
    pub(super) core: Core,
    machine: Machine,
    began: Instant,
    elapsed: Duration,
    submissions: u32,
    processes: u32,
    pub(super) journal: Vec<Entry>,
    /// What was done, in order, in a few words each.
    pub(super) done: Vec<String>,
    pub(super) signals: Vec<(JobId, Signal, Reach)>,
    /// What runs leave when they end.
    pub(super) left: HashMap<JobId, Left>,
    /// Jobs that use too much memory.
    pub(super) over_limit: Vec<JobId>,
    /// Whether processes handle their warning signal.
    pub(super) handles: bool,
    /// Jobs that cannot be started.
    pub(super) broken: Vec<JobId>,
    /// Whether the journal cannot be written.
    pub(super) disk_is_full: bool,
}

/// The clock when a world begins, in milliseconds.
pub(super) const BEGIN: u64 = 1_800_000_000_000;

pub(super) fn id(number: u32) -> JobId {
    JobId::new(number).unwrap()
}

impl World {
    pub(super) fn with_cpus(cpus: u32) -> Self {
        let whole = Capacity { cpus, memory_mib: 1000, gpus: 4 };
        let machine = Machine { whole, host: "here".to_owned(), boot: Some("boot".to_owned()) };
        Self {
            core: Core::new(machine.clone()),
            machine,
            began: Instant::now(),
            elapsed: Duration::ZERO,
            submissions: 0,
            processes: 0,
            journal: Vec::new(),
            done: Vec::new(),
            signals: Vec::new(),
            left: HashMap::new(),
            over_limit: Vec::new(),
            handles: true,
            broken: Vec::new(),
            disk_is_full: false,
        }
    }

    pub(super) fn now(&self) -> Moment {
        let elapsed = u64::try_from(self.elapsed.as_millis()).unwrap();
        Moment { at: self.began + self.elapsed, clock: BEGIN + elapsed }
    }

    /// Returns a request for a job with one CPU.
    pub(super) fn job(&mut self) -> JobRequest {
        self.submissions += 1;
        let name = format!("job-{}", self.submissions);
        JobRequest {
            submission_id: SubmissionId::new(1_800_000_000, self.submissions),
            part: 0,
            array: None,
            dir: format!("/base/{name}").into(),
            script: format!("/base/{name}/script.sh").into(),
            name,
            working_dir: "/".into(),
            stdout: "out".to_owned(),
            stderr: "err".to_owned(),
            append: true,
            needs: Capacity { cpus: 1, memory_mib: 1, gpus: 0 },
            gpus: Installed::default().visible(None, Some(2)),
            memory_is_limited: false,
            tasks: 1,
            cpus_per_task: 1,
            time_limit: None,
            warning: None,
            dependency: None,
            within: None,
            environment: Vec::new(),
        }
    }

    pub(super) fn array(&mut self, size: u32) -> JobRequest {
        let array = Some(ArrayRequest { size, first: 0, max_running: None });
        JobRequest { array, ..self.job() }
    }

    pub(super) fn needing(&mut self, cpus: u32) -> JobRequest {
        let request = self.job();
        JobRequest { needs: Capacity { cpus, ..request.needs }, ..request }
    }

    pub(super) fn ask(&mut self, request: Request) -> Reply {
        self.on(Event::Request(request)).expect("each request has a reply")
    }

    pub(super) fn submit(&mut self, request: JobRequest) -> JobId {
        match self.ask(Request::Submit(Box::new(request))) {
            Reply::Submitted(id) => id,
            other => panic!("{other:?}"),
        }
    }

    /// Submits a job, or an array, that waits for a dependency.
    pub(super) fn submit_after(&mut self, request: JobRequest, dependency: &str) -> JobId {
        self.submit(JobRequest { dependency: Some(dependency.to_owned()), ..request })
    }

    pub(super) fn cancel(&mut self, job: JobId, elements: Option<Indices>) -> Reply {
        self.ask(Request::Cancel { job, elements })
    }

    pub(super) fn statuses(&mut self, id: JobId) -> Vec<Status> {
        match self.ask(Request::Survey(vec![id])) {
            Reply::Statuses(statuses) => statuses,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the state of a job, with the reason if there is one.
    pub(super) fn state(&mut self, id: JobId) -> String {
        self.statuses(id).first().map(word).unwrap_or_default()
    }

    /// Returns which elements of an array are in which state: `PENDING Priority 0-3, RUNNING 4`.
    pub(super) fn groups(&mut self, id: JobId) -> String {
        let range = |(first, last): (u32, u32)| match first == last {
            true => first.to_string(),
            false => format!("{first}-{last}"),
        };
        let of = |status: Status| {
            let word = word(&status);
            let elements = status.elements.expect("it is an array");
            format!("{word} {}", elements.into_iter().map(range).collect::<Vec<_>>().join(" "))
        };
        let mut groups: Vec<String> = self.statuses(id).into_iter().map(of).collect();
        groups.sort();
        groups.join(", ")
    }

    /// Returns the jobs that run.
    pub(super) fn running(&self) -> Vec<u32> {
        self.core.jobs().running().map(|job| job.id.get()).collect()
    }

    /// Does what a supervisor does when something has happened, until nothing more follows.
    pub(super) fn tick(&mut self) {
        loop {
            self.on(Event::Tick);
            if self.core.next_alarm(self.now()).is_none_or(|alarm| alarm > self.now().at) {
                return;
            }
        }
    }

    /// Lets time pass, from alarm to alarm.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.elapsed + time;
        self.tick();
        while let Some(alarm) = self.core.next_alarm(self.now())
            && alarm - self.began <= end
        {
            self.elapsed = alarm - self.began;
            self.tick();
        }
        self.elapsed = end;
        self.tick();
    }

    /// Ends all processes of a running job with this exit code, and lets others start.
    pub(super) fn end(&mut self, job: u32, code: i32) {
        let running = self.core.jobs().job(id(job)).expect("it runs");
        let pids: Vec<u32> = running.alive().iter().map(|process| process.pid).collect();
        for pid in pids {
            self.exited(id(job), pid, Some(Exit { code, signal: 0 }));
        }
        self.tick();
    }

    pub(super) fn exited(&mut self, job: JobId, pid: u32, exit: Option<Exit>) {
        let found = self.left.get(&job).map(|left| left.found.clone()).unwrap_or_default();
        self.on(Event::Exited { job, pid, exit, found });
    }

    /// Ends all running jobs well until none is left.
    pub(super) fn finish(&mut self) {
        self.tick();
        while let Some(job) = self.running().first().copied() {
            self.end(job, 0);
        }
    }

    /// Returns the world of a supervisor that has read the first `lines` lines of the journal.
    pub(super) fn after_death(&self, lines: usize) -> Self {
        let mut next = Self::with_cpus(1);
        next.machine = self.machine.clone();
        next.core = Core::new(self.machine.clone());
        (next.began, next.elapsed) = (self.began, self.elapsed);
        (next.submissions, next.processes) = (self.submissions, self.processes);
        for entry in &self.journal[..lines] {
            next.core.replay(entry.clone()).unwrap();
        }
        next.journal = next.core.entries();
        next
    }

    /// Feeds an event to the core and does what follows. Returns the reply if there was one.
    pub(super) fn on(&mut self, event: Event) -> Option<Reply> {
        let mut reply = None;
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.core.on(event, self.now()) {
                match action {
                    Action::Reply(answer) => reply = Some(answer),
                    other => events.extend(self.carry_out(other)),
                }
            }
        }
        reply
    }

    fn append(&mut self, entry: Entry) -> Result<(), String> {
        if self.disk_is_full {
            return Err("the disk is full".to_owned());
        }
        let text = format!("{entry:?}");
        self.done.push(format!("note {}", text.split([' ', '{']).next().unwrap_or_default()));
        self.journal.push(entry);
        Ok(())
    }

    fn carry_out(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Append(entry) => drop(self.append(entry)),
            Action::Commit(entry) => {
                let result = self.append(entry.clone());
                return Some(Event::Committed(entry, result));
            }
            Action::Keep { entry, .. } => {
                self.done.push("keep".to_owned());
                let result = self.append(entry.clone());
                return Some(Event::Kept(entry, result));
            }
            Action::Start { job, entry } => {
                let processes = self.start(job, entry);
                return Some(Event::Started { job, processes });
            }
            Action::Signal { processes, signal, reach } => {
                let jobs = self.core.jobs().running();
                let pids: BTreeMap<u32, JobId> = jobs
                    .flat_map(|job| job.processes.iter().map(|of| (of.identity.pid, job.id)))
                    .collect();
                for process in processes {
                    self.signals.push((pids[&process.pid], signal, reach));
                }
                self.done.push("signal".to_owned());
            }
            Action::AskHandlers { job, .. } => {
                return Some(Event::Handlers { job, ready: self.handles });
            }
            Action::Examine { files, .. } => {
                let left = self.left.remove(&files.job).unwrap_or_default();
                return Some(Event::Examined { job: files.job, left });
            }
            Action::Measure(limited) => {
                let is_over = |job: &JobId| self.over_limit.contains(job);
                let over = limited.iter().map(|limited| limited.job).filter(is_over).collect();
                return Some(Event::OverLimit(over));
            }
            Action::Publish(files) => self.done.push(format!("publish {}", files.job)),
            Action::RemoveMarks(files) => {
                self.done.push(format!("remove marks {}.{}", files.job, files.restarts));
            }
            Action::Forget(_) => self.done.push("forget".to_owned()),
            Action::EndLeft(runs) => self.done.push(format!("end left of {}", runs.len())),
            Action::Watch { files, process } => {
                self.done.push(format!("watch {} of {}", process.rank, files.job));
            }
            Action::Rewrite(entries) => self.journal = entries,
            Action::GiveOut(_) | Action::Reply(_) => {}
        }
        None
    }

    fn start(&mut self, job: JobId, entry: Entry) -> Result<Vec<(u32, Identity)>, String> {
        self.append(entry)?;
        if self.broken.contains(&job) {
            return Err("no such directory".to_owned());
        }
        let tasks = self.core.jobs().job(job).map_or(0, |job| job.request.tasks);
        let mut processes = Vec::new();
        for rank in 0..tasks {
            self.processes += 1;
            let process = Identity { pid: 1000 + self.processes, start: 1 };
            self.append(Entry::Spawned { id: job, rank, process })?;
            processes.push((rank, process));
        }
        self.done.push(format!("run {job}"));
        Ok(processes)
    }
}

fn word(status: &Status) -> String {
    match &status.reason {
        Some(reason) => format!("{} {reason}", status.state),
        None => status.state.to_string(),
    }
}

/// Returns what a run leaves that has begun.
pub(super) fn begun() -> Left {
    Left { found: Found(vec![RunMark::Ready, RunMark::Begun]), ..Left::default() }
}

/// Returns what a run leaves none of whose processes was released.
pub(super) fn not_begun() -> Left {
    Left { found: Found(vec![RunMark::Ready]), ..Left::default() }
}

/// Returns what a run leaves that wants another one.
pub(super) fn wants_another_run() -> Left {
    Left { wants_another_run: true, ..begun() }
}
