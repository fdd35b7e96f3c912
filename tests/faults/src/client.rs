//! The programs that submit and wait. They are processes of this program, because they get killed. Each of them
//! writes its notes to a file of its own.

mod follow;
mod submit;
mod verdict;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};
use slurm::{ArrayHandle, BackendKind, Cluster, Job, JobArray, JobHandle, SubmissionId};

use crate::ledger;
use crate::plan::{Call, Deed, Plan, Suite, Unit, Work};
use crate::shared_fs;
use crate::tasks::{Order, flow, total, work};
use submit::{Submission, submit};
pub(crate) use verdict::{Kind, Verdict};

/// A note of a client, and the time at which it was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Noted {
    /// Milliseconds since the epoch.
    pub(crate) at: u64,
    pub(crate) note: Note,
}

/// A note of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Note {
    /// The client is about to submit this part of a unit.
    Submitting {
        unit: String,
        part: usize,
    },
    Submitted {
        unit: String,
        part: usize,
        handle: Handle,
    },
    NotSubmitted {
        unit: String,
        part: usize,
        verdict: Verdict,
    },
    /// The client cancels the unit.
    Cancelling {
        unit: String,
    },
    /// The client retries failed calls, or resumes the workflow.
    Again {
        unit: String,
    },
    /// The client saw the end of a call.
    Told {
        call: String,
        /// Whether the call ended in a job that resumed its workflow.
        resumed: bool,
        verdict: Verdict,
    },
    /// The whole log of a call.
    Read {
        call: String,
        text: String,
    },
    /// A log no longer began with the text that was read before.
    Shrunk {
        call: String,
        from: String,
        to: String,
    },
    /// The client knows the end of every call.
    Done,
}

/// The data with which another process finds a submission.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Handle {
    Job(JobHandle),
    Array(ArrayHandle),
}

impl Handle {
    pub(crate) fn dir(&self) -> &Path {
        match self {
            Self::Job(handle) => &handle.dir,
            Self::Array(handle) => &handle.dir,
        }
    }
}

/// What this process does, from its environment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Submits its units and waits for them.
    Client(usize),
    /// Waits for submissions that others have made.
    Finder(Vec<Found>),
    /// Reads the logs of submissions that others have made.
    Follower(Vec<Found>),
    /// Waits for submissions and submits a job of its own. This process is started after the last fault.
    Last(Vec<Found>),
}

/// A submission that the process looks for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) unit: String,
    pub(crate) part: usize,
    pub(crate) by: By,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum By {
    Handle(Handle),
    /// The client was killed after it had noted that it submits, and before it noted a handle.
    SubmissionId(SubmissionId),
}

pub(crate) const ROLE: &str = "SLURM_FAULTS_ROLE";
pub(crate) const ROUND: &str = "SLURM_FAULTS_ROUND";
pub(crate) const NOTES: &str = "SLURM_FAULTS_NOTES";

/// The address space of a client, in bytes.
const MEMORY: u64 = 4 << 30;

/// Runs the role from the environment of this process. Returns whether there is one.
pub(crate) fn play() -> anyhow::Result<bool> {
    let Ok(role) = std::env::var(ROLE) else { return Ok(false) };
    // Clients and their children need no more. Without the limit, an error that allocates without end would
    // take all memory of the machine.
    let memory = Rlimit { current: Some(MEMORY), maximum: Some(MEMORY) };
    setrlimit(Resource::As, memory)?;
    let round = PathBuf::from(std::env::var(ROUND)?);
    let notes = PathBuf::from(std::env::var(NOTES)?);
    let plan = Plan::read(&round.join("plan.json"))?;
    let client = Client { cluster: cluster(&plan, &round)?, round, notes };
    match serde_json::from_str(&role)? {
        Role::Client(number) => {
            let units = plan.units.iter().filter(|unit| unit.client == number);
            each(units, |unit| client.make(unit));
        }
        Role::Finder(wanted) => each(&wanted, |found| client.find(found, &plan)),
        Role::Follower(wanted) => each(&wanted, |found| client.follow(found, &plan)),
        Role::Last(wanted) => {
            each(&wanted, |found| client.find(found, &plan));
            client.probe()?;
        }
    }
    client.note(&Note::Done);
    Ok(true)
}

fn cluster(plan: &Plan, round: &Path) -> anyhow::Result<Cluster> {
    let builder = Cluster::builder().job_base_dir(shared_fs::job_base_dir(round)).local_cpus(4);
    let builder = match plan.suite {
        Suite::Local => builder.backend(BackendKind::Local),
        Suite::Slurm | Suite::Daemons | Suite::SharedFs => builder.backend(BackendKind::Slurm),
        Suite::Ssh => return crate::ssh::open(builder, round),
    };
    Ok(builder.build()?)
}

/// Runs `body` for each item, all at the same time.
fn each<T: Send>(all: impl IntoIterator<Item = T>, body: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for one in all {
            scope.spawn(|| body(one));
        }
    });
}

struct Client {
    cluster: Cluster,
    round: PathBuf,
    notes: PathBuf,
}

impl Client {
    fn note(&self, note: &Note) {
        let noted = Noted { at: ledger::now(), note: note.clone() };
        ledger::append(&self.round, &self.notes, &noted);
    }

    /// Runs a job after the last fault. The embedded supervisor that runs it has to clean up too.
    fn probe(&self) -> anyhow::Result<()> {
        let name = "probe".to_owned();
        let call =
            Call { name: name.clone(), deed: Deed::Return, ms: 0, value: 42, ranks: 1, nodes: 1 };
        let order = Order { round: self.round.clone(), call };
        let value = work::job(order, 0).job_name(name).submit(&self.cluster)?.result()?;
        anyhow::ensure!(value == 42, "the last job returns {value}, not 42");
        Ok(())
    }

    /// Submits a unit and waits for it.
    fn make(&self, unit: &Unit) {
        thread::sleep(Duration::from_millis(unit.after_ms));
        let submissions = submit(self, unit);
        thread::scope(|scope| {
            for (submission, calls) in submissions.iter().zip(unit.work.parts()) {
                scope.spawn(move || {
                    let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
                    self.wait(submission, &names);
                });
            }
            if let Some(ms) = unit.cancel_ms {
                thread::sleep(Duration::from_millis(ms));
                self.cancel(unit, &submissions);
            }
        });
        if unit.again && unit.cancel_ms.is_none() {
            self.try_again(unit, &submissions);
        }
    }

    fn cancel(&self, unit: &Unit, submissions: &[Submission]) {
        self.note(&Note::Cancelling { unit: unit.name.clone() });
        for submission in submissions {
            let result = match submission {
                Submission::Job(job) => job.cancel(),
                Submission::Array(array) => array.cancel(),
            };
            if let Err(error) = result {
                // The job keeps running, and its value counts.
                eprintln!("{} cannot be cancelled: {error}", unit.name);
            }
        }
    }

    fn try_again(&self, unit: &Unit, submissions: &[Submission]) {
        let names: Vec<String> = unit.work.calls().iter().map(|call| call.name.clone()).collect();
        match (&unit.work, submissions.first()) {
            (Work::Array { calls, .. }, Some(submission @ Submission::Array(array))) => {
                self.note(&Note::Again { unit: unit.name.clone() });
                match array.retry_failed() {
                    Ok(0) => {}
                    Ok(_) => {
                        let names: Vec<&str> =
                            names[..calls.len()].iter().map(String::as_str).collect();
                        self.wait(submission, &names);
                    }
                    Err(error) => eprintln!("{} cannot be retried: {error}", unit.name),
                }
            }
            (Work::Flow { .. }, Some(Submission::Job(job))) if job.result().is_err() => {
                self.note(&Note::Again { unit: unit.name.clone() });
                match submit::resume(self, unit, job) {
                    Ok(job) => {
                        let call = names[0].clone();
                        let verdict = Verdict::of(&job.result());
                        self.note(&Note::Told { call, resumed: true, verdict });
                    }
                    Err(error) => eprintln!("{} cannot be resumed: {error}", unit.name),
                }
            }
            _ => {}
        }
    }

    /// Waits for a submission that another process has made.
    fn find(&self, found: &Found, plan: &Plan) {
        let Some(unit) = plan.units.iter().find(|unit| unit.name == found.unit) else { return };
        let parts = unit.work.parts();
        let Some(calls) = parts.get(found.part) else { return };
        let names: Vec<&str> = calls.iter().map(|call| call.name.as_str()).collect();
        match self.attach(unit, found) {
            Ok(submission) => self.wait(&submission, &names),
            Err(error) => {
                let verdict = Verdict::of(&Err(error));
                for name in names {
                    self.tell(name, verdict.clone());
                }
            }
        }
    }

    fn attach(&self, unit: &Unit, found: &Found) -> slurm::Result<Submission> {
        let cluster = &self.cluster;
        let array = matches!(unit.work, Work::Array { .. });
        let job: Job<i64> = match &found.by {
            By::Handle(Handle::Array(handle)) => {
                return cluster.attach_array::<work>(handle).map(Submission::Array);
            }
            By::SubmissionId(submission_id) if array && found.part == 0 => {
                return cluster.attach_array::<work>(submission_id).map(Submission::Array);
            }
            By::Handle(Handle::Job(handle)) => match &unit.work {
                Work::Flow { .. } => cluster.attach::<flow>(handle)?,
                _ if array => cluster.attach::<total>(handle)?,
                _ => cluster.attach::<work>(handle)?,
            },
            By::SubmissionId(submission_id) => match &unit.work {
                Work::Flow { .. } => cluster.attach::<flow>(submission_id)?,
                _ if array => cluster.attach::<total>(submission_id)?,
                _ => cluster.attach::<work>(submission_id)?,
            },
        };
        Ok(Submission::Job(job))
    }

    fn wait(&self, submission: &Submission, names: &[&str]) {
        match submission {
            Submission::Job(job) => self.tell(names[0], Verdict::of(&job.result())),
            Submission::Array(array) => self.wait_for_items(array, names),
        }
    }

    fn wait_for_items(&self, array: &JobArray<i64>, names: &[&str]) {
        match array.try_results() {
            Ok(results) => {
                for (name, result) in names.iter().zip(&results) {
                    self.tell(name, Verdict::of(result));
                }
            }
            Err(error) => {
                let verdict = Verdict::of(&Err(error));
                for name in names {
                    self.tell(name, verdict.clone());
                }
            }
        }
    }

    fn tell(&self, call: &str, verdict: Verdict) {
        self.note(&Note::Told { call: call.to_owned(), resumed: false, verdict });
    }
}
