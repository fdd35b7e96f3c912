//! A supervisor with real processes, without its socket.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::state::JobState;
use tempfile::TempDir;

use super::super::core::Event;
use super::super::effects::Supervisor;
use super::super::run::Message;
use crate::backend::Indices;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Installed;
use crate::backend::local::protocol::{
    ArrayRequest, JobRequest, Place, Reply, Request, Status, SystemText,
};

/// A supervisor without its socket.
pub(super) struct Machine {
    pub(super) dir: TempDir,
    pub(super) whole: Capacity,
    pub(super) supervisor: Supervisor,
    pub(super) events: Receiver<Message>,
    pub(super) submissions: u32,
}

pub(super) const DEADLINE: Duration = Duration::from_secs(60);

impl Machine {
    pub(super) fn with_cpus(cpus: u32) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let whole = Capacity { cpus, memory_mib: 1 << 30, gpus: 2 };
        let (sender, events) = mpsc::channel();
        let place = Place::at(&dir.path().join("supervisor"));
        fs::create_dir(place.dir()).unwrap();
        let supervisor = Supervisor::new(&place, whole, sender).unwrap();
        Self { dir, whole, supervisor, events, submissions: 0 }
    }

    /// What a supervisor finds that follows one that was killed.
    pub(super) fn restarted(self) -> Self {
        let Self { dir, whole, supervisor, events, submissions } = self;
        drop((supervisor, events));
        let (sender, events) = mpsc::channel();
        let place = Place::at(&dir.path().join("supervisor"));
        let supervisor = Supervisor::new(&place, whole, sender).unwrap();
        Self { dir, whole, supervisor, events, submissions }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn request(&mut self, script: &str) -> JobRequest {
        self.submissions += 1;
        let dir = self.path(&format!("job-{}", self.submissions));
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("script.sh"), script).unwrap();
        JobRequest {
            within: None,
            submission_id: SubmissionId::new(1_800_000_000, self.submissions),
            part: 0,
            array: None,
            name: format!("job-{}", self.submissions),
            script: dir.join("script.sh"),
            working_dir: self.dir.path().to_owned(),
            stdout: "/dev/null".to_owned(),
            stderr: "/dev/null".to_owned(),
            append: true,
            needs: Capacity { cpus: 1, memory_mib: 1, gpus: 0 },
            memory_is_limited: false,
            gpus: Installed::default().visible(None, Some(2)),
            tasks: 1,
            cpus_per_task: 1,
            time_limit: None,
            warning: None,
            dependency: None,
            environment: [
                ("PATH", std::env::var("PATH").unwrap().as_str()),
                ("OF_SUBMITTER", "yes"),
            ]
            .map(|(name, value)| (SystemText(name.into()), SystemText(value.into())))
            .to_vec(),
            dir,
        }
    }

    pub(super) fn array(&mut self, size: u32, script: &str) -> JobRequest {
        let array = Some(ArrayRequest { size, first: 0, max_running: None });
        JobRequest { array, ..self.request(script) }
    }

    fn answer(&mut self, request: Request) -> Reply {
        self.supervisor.answer(request).expect("each request has an answer")
    }

    pub(super) fn submit(&mut self, request: JobRequest) -> JobId {
        match self.answer(Request::Submit(Box::new(request))) {
            Reply::Submitted(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn submit_array(&mut self, size: u32, script: &str) -> JobId {
        let request = self.array(size, script);
        self.submit(request)
    }

    pub(super) fn cancel(&mut self, job: JobId, elements: Option<Indices>) {
        match self.answer(Request::Cancel { job, elements }) {
            Reply::Done => {}
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn statuses(&mut self, id: JobId) -> Vec<Status> {
        match self.answer(Request::Survey(vec![id])) {
            Reply::Statuses(statuses) => statuses,
            other => panic!("{other:?}"),
        }
    }

    /// Returns which elements of an array are in which state, for which reason.
    pub(super) fn groups(&mut self, id: JobId) -> Vec<(String, Indices)> {
        let word = |status: &Status| match &status.reason {
            Some(reason) => format!("{} {reason}", status.state),
            None => status.state.to_string(),
        };
        let statuses = self.statuses(id);
        let of = |status: Status| (word(&status), status.elements.expect("it is an array"));
        let mut groups: Vec<_> = statuses.into_iter().map(of).collect();
        groups.sort();
        groups
    }

    pub(super) fn count(&mut self, id: JobId, state: &JobState) -> u32 {
        let of_state = |status: &Status| status.state == *state;
        let statuses = self.statuses(id).into_iter().filter(of_state);
        let indices = statuses.flat_map(|status| status.elements.expect("it is an array"));
        indices.map(|(first, last)| last - first + 1).sum()
    }

    /// Does what the supervisor's loop does, until `done`.
    pub(super) fn run_until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.supervisor.on(Event::Tick);
            if done(self) {
                return;
            }
            let now = Instant::now();
            assert!(now < deadline, "it does not come to pass");
            let wake = self.supervisor.next_alarm().unwrap_or(deadline);
            let wait = wake.saturating_duration_since(now).min(Duration::from_millis(20));
            match self.events.recv_timeout(wait) {
                Ok(Message::Exited { job, pid, exit, found }) => {
                    self.supervisor.on(Event::Exited { job, pid, exit, found });
                }
                Ok(other) => panic!("{other:?}"),
                Err(_) => {}
            }
        }
    }

    pub(super) fn tick(&mut self) {
        self.supervisor.on(Event::Tick);
    }

    pub(super) fn run(&mut self) {
        self.run_until(|machine| !machine.supervisor.is_busy());
    }

    /// Returns the lines of a file, sorted.
    pub(super) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.path(name)).unwrap_or_default();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// Returns the indices that elements wrote into a file, sorted.
    pub(super) fn indices(&self, name: &str) -> Vec<u32> {
        let mut indices: Vec<u32> =
            self.lines(name).iter().map(|line| line.parse().unwrap()).collect();
        indices.sort_unstable();
        indices
    }

    pub(super) fn touch(&self, name: &str) {
        fs::write(self.path(name), "").unwrap();
    }
}

/// Notes its index, and ends once there is a file `go`.
pub(super) const WAIT: &str = "echo $SLURM_ARRAY_TASK_ID >> ran\n\
                    while [ ! -e go ]; do sleep 0.01; done\n";

pub(super) fn text(groups: &[(&str, &[(u32, u32)])]) -> Vec<(String, Indices)> {
    groups.iter().map(|(word, indices)| ((*word).to_owned(), indices.to_vec())).collect()
}
