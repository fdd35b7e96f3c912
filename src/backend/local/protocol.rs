//! What passes between clients and the supervisor: one JSON object a line, an answer to each request.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::state::JobState;
use slurm_host::Folder;

use super::capacity::Capacity;
use super::gpus::Gpu;
use crate::backend::{Ahead, Exit, Indices, Sighting, Source, Times, since_epoch};
use crate::error::HostError;

/// Changes whenever an older end could misread a newer one, or the journal.
pub(super) const PROTOCOL: u32 = 6;

/// What a client can ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Queue a job; one whose submission is known already is not queued again.
    Submit(Box<JobRequest>),
    /// Tell what is known of these jobs.
    Survey(Vec<JobId>),
    /// Find the job of a submission, or one of its arrays.
    Find { submission_id: SubmissionId, part: u32 },
    /// Cancel a job, or some elements of an array.
    Cancel { job: JobId, elements: Option<Indices> },
}

/// What the supervisor answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Reply {
    Submitted(JobId),
    Statuses(Vec<Status>),
    Done,
    /// It knows no job with this id: there is none, or it ended long ago.
    NoSuchJob,
    /// The job would wait for this one, which the supervisor does not know: there is none, or it ended long ago.
    UnknownDependency(JobId),
    /// It cannot be done, and why.
    Refused(String),
    /// The job could only run once the workflow that submits it has ended, and why.
    NoRoom(String),
}

/// A job as it is submitted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct JobRequest {
    pub(super) submission_id: SubmissionId,
    /// Which of the arrays of its submission it is.
    pub(super) part: u32,
    /// If it is an array.
    pub(super) array: Option<ArrayRequest>,
    pub(super) name: String,
    pub(super) dir: PathBuf,
    pub(super) script: PathBuf,
    pub(super) working_dir: PathBuf,
    /// File name patterns of the logs.
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) append: bool,
    pub(super) needs: Capacity,
    /// The GPUs that the submission may use; a job of a workflow has the list of the workflow.
    pub(super) gpus: Vec<Gpu>,
    /// Whether it asks for its memory itself, so that it may not use more.
    pub(super) memory_is_limited: bool,
    pub(super) tasks: u32,
    pub(super) cpus_per_task: u32,
    /// Seconds.
    pub(super) time_limit: Option<u64>,
    /// Signal number, and seconds before the end.
    pub(super) warning: Option<(i32, u64)>,
    /// In sbatch's grammar.
    pub(super) dependency: Option<String>,
    /// The workflow's job that submits it.
    pub(super) within: Option<JobId>,
    /// The environment of the submitter.
    pub(super) environment: Vec<Variable>,
}

/// A variable: its name and its value.
pub(super) type Variable = (SystemText, SystemText);

/// A text of the system, which need not be UTF-8: a JSON string if it is, a list of bytes if not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SystemText(pub(super) OsString);

impl Serialize for SystemText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.to_str() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_seq(self.0.as_bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for SystemText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl<'de> Visitor<'de> for Text {
            type Value = SystemText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or its bytes")
            }

            fn visit_str<E>(self, text: &str) -> Result<SystemText, E> {
                Ok(SystemText(text.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut bytes: A) -> Result<SystemText, A::Error> {
                let mut all = Vec::new();
                while let Some(byte) = bytes.next_element()? {
                    all.push(byte);
                }
                Ok(SystemText(OsString::from_vec(all)))
            }
        }

        deserializer.deserialize_any(Text)
    }
}

/// What is asked of an array; the indices of its elements begin at 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ArrayRequest {
    pub(super) size: u32,
    /// The number of its first element among those of all arrays of the submission.
    pub(super) first: u64,
    /// How many of its elements may run at once.
    pub(super) max_running: Option<u32>,
}

/// What names a submitted job or array before it has an id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SubmissionKey {
    submission_id: SubmissionId,
    part: u32,
}

/// What is known of a job, or of some elements of an array.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Status {
    pub(super) id: JobId,
    /// Those of the array `id` that it is about.
    pub(super) elements: Option<Indices>,
    pub(super) dir: PathBuf,
    pub(super) state: JobState,
    pub(super) reason: Option<String>,
    pub(super) host: String,
    pub(super) exit: Option<Exit>,
    /// Whether the task was called in the last run, if it has ended.
    pub(super) entered: bool,
    /// When it started, in seconds since the Unix epoch.
    pub(super) started: Option<u64>,
    /// Seconds.
    pub(super) time_limit: Option<u64>,
    /// If it waits for resources or for its turn.
    pub(super) ahead: Option<Ahead>,
}

impl JobRequest {
    pub(super) fn key(&self) -> SubmissionKey {
        SubmissionKey { submission_id: self.submission_id.clone(), part: self.part }
    }
}

impl SubmissionKey {
    pub(super) fn new(submission_id: SubmissionId, part: u32) -> Self {
        Self { submission_id, part }
    }

    /// Returns the name of a file that belongs to it.
    pub(super) fn file_name(&self) -> String {
        match self.part {
            0 => self.submission_id.to_string(),
            part => format!("{}.{part}", self.submission_id),
        }
    }
}

impl From<Status> for Sighting {
    fn from(status: Status) -> Self {
        let nodes = (!status.state.is_pending()).then_some(status.host);
        let times = Times {
            start: status.started.and_then(since_epoch),
            limit: status.time_limit.map(Duration::from_secs),
        };
        let Status { state, reason, exit, entered, .. } = status;
        let entered = state.is_terminal().then_some(entered);
        let seen = Self { source: Source::Supervisor, times, entered, ..Self::of(state) };
        Self { reason, nodes, exit, ..seen }
    }
}

/// The files of a supervisor.
#[derive(Clone, Debug)]
pub(super) struct Place {
    dir: PathBuf,
}

/// Where a running supervisor can be reached; the content of its `supervisor.json`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Address {
    pub(super) protocol: u32,
    pub(super) pid: u32,
    pub(super) socket: PathBuf,
}

impl Place {
    /// Returns the place of this host's supervisor of a job base directory.
    pub(super) fn new(job_base_dir: &Path) -> Self {
        Self::at(&job_base_dir.join(".local").join(host()))
    }

    pub(super) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Creates the directory, which only this user can look into.
    ///
    /// # Errors
    /// Also if it, or one above it, is another user's or a symbolic link.
    pub(super) fn create(&self) -> Result<(), HostError> {
        let name = |dir: &Path| dir.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let all = self.dir.parent();
        let parts = all.and_then(|all| Some((all.parent()?, name(all)?, name(&self.dir)?)));
        let Some((base, all, own)) = parts else { return Ok(()) };
        let all = Folder::base(base)?.enter(&all, Some(0o700))?;
        all.enter(&own, Some(0o700))?.for_its_owner_alone().map(drop)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Held for as long as a supervisor lives.
    pub(super) fn lock(&self) -> PathBuf {
        self.dir.join("lock")
    }

    pub(super) fn address(&self) -> PathBuf {
        self.dir.join("supervisor.json")
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.dir.join("journal.jsonl")
    }

    /// The highest id that was given out.
    pub(super) fn last_id(&self) -> PathBuf {
        self.dir.join("last_id")
    }

    /// The job base directory.
    pub(super) fn job_base_dir(&self) -> Option<&Path> {
        self.dir.parent()?.parent()
    }

    /// Submissions and their environments, a file each, until their jobs have ended.
    pub(super) fn environments(&self) -> PathBuf {
        self.dir.join("environments")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.dir.join("supervisor.log")
    }
}

pub(super) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
