//! A job that runs: an element of an array, from its start to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::state::JobState;

use super::array::Array;
use crate::backend::Exit;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Gpu;
use crate::backend::local::protocol::{JobRequest, Status};

/// A running job, and what it holds.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: JobId,
    pub(crate) array: JobId,
    pub(crate) index: u32,
    /// Without the environment, which is in a file of its own.
    pub(crate) request: Arc<JobRequest>,
    /// How often it was requeued before this run.
    pub(crate) restarts: u32,
    /// In milliseconds since the Unix epoch. Nothing if the journal has lost the start.
    pub(crate) started_at: Option<u64>,
    pub(crate) granted: Capacity,
    pub(crate) gpus: Vec<Gpu>,
    /// In which boot of the machine it was started.
    pub(crate) boot: Option<String>,
    pub(crate) processes: Vec<Process>,
    /// When its warning signal was sent, in milliseconds since the Unix epoch.
    pub(crate) warned_at: Option<u64>,
    /// If it was told to end: its final state, and when it was told, in milliseconds since the Unix epoch.
    pub(crate) ending: Option<(JobState, u64)>,
    /// How the first of its processes failed. The others were ended because of that.
    pub(crate) first_failure: Option<Exit>,
    /// Whether the task was called, as far as the marks told when the processes had ended.
    pub(crate) entered: bool,
    /// Whether its processes ended while there was no supervisor.
    pub(crate) ended_alone: bool,
    pub(crate) alarms: Alarms,
}

/// The job of the workflow that submits a job.
///
/// It existed before, so its id is lower. So a walk from parent to parent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parent(JobId);

impl Parent {
    /// Returns the parent of the job that is to have the id `id`.
    ///
    /// # Errors
    /// There can be no job of the parent's id before that one.
    pub(crate) fn of(id: JobId, request: &JobRequest) -> Result<Option<Self>, String> {
        match request.within {
            Some(parent) if parent >= id => {
                Err(format!("it is submitted by job {parent}, which does not exist"))
            }
            parent => Ok(parent.map(Self)),
        }
    }

    pub(crate) fn id(self) -> JobId {
        self.0
    }
}

/// A process, told from a later one with the same number by its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Clock ticks since the machine booted.
    pub(crate) start: u64,
}

/// One process of a job, the leader of its process group.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) rank: u32,
    pub(crate) identity: Identity,
    pub(crate) ended: bool,
    pub(crate) exit: Option<Exit>,
}

impl Process {
    /// Returns a process that has not ended, as far as is known.
    pub(crate) fn new(rank: u32, identity: Identity) -> Self {
        Self { rank, identity, ended: false, exit: None }
    }
}

/// What tells where the files of a run are.
#[derive(Clone, Debug)]
pub(crate) struct RunFiles {
    pub(crate) job: JobId,
    pub(crate) dir: JobDir,
    pub(crate) restarts: u32,
    /// The array and the index, if its submitter asked for an array.
    pub(crate) element: Option<(JobId, u32)>,
    /// The number of the element among the elements of all arrays of its submission.
    pub(crate) number: Option<u64>,
    pub(crate) tasks: u32,
}

impl RunFiles {
    /// Returns the files of a run of the element `index` of `array` with `restarts` runs before it.
    pub(crate) fn of(array: &Array, job: JobId, index: u32, restarts: u32) -> Self {
        Self::new(&array.request, array.id, job, index, restarts)
    }

    fn new(request: &JobRequest, array: JobId, job: JobId, index: u32, restarts: u32) -> Self {
        Self {
            job,
            dir: JobDir::at(&request.dir),
            restarts,
            element: request.array.map(|_| (array, index)),
            number: request.array.map(|array| array.first.saturating_add(index.into())),
            tasks: request.tasks,
        }
    }

    /// Returns the common prefix of the paths of its marks.
    pub(crate) fn marks(&self) -> PathBuf {
        self.dir.run_marks(self.job, self.restarts)
    }

    /// Returns where the job leaves its result.
    pub(crate) fn result(&self) -> PathBuf {
        self.number.map_or_else(|| self.dir.result(), |number| self.dir.segment(number))
    }

    /// Returns where the first of several processes leaves its value.
    pub(crate) fn value(&self) -> PathBuf {
        match self.number {
            Some(number) => self.dir.value_segment(number, self.restarts),
            None => self.dir.value(self.restarts),
        }
    }

    /// Returns where the run leaves the wish to be run again.
    pub(crate) fn requeue(&self) -> PathBuf {
        self.dir.requeue_of(self.element)
    }
}

/// When something has to happen to a running job.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Alarms {
    pub(crate) warn: Option<Instant>,
    pub(crate) limit: Option<Instant>,
    pub(crate) kill: Option<Instant>,
}

impl Alarms {
    /// Returns the alarms of a job that started `ago`, and was warned `warned_ago` if it was.
    ///
    /// The job needs the time between the warning and the limit to react, so a late warning puts off the limit.
    pub(crate) fn new(
        request: &JobRequest,
        now: Instant,
        ago: Duration,
        warned_ago: Option<Duration>,
    ) -> Self {
        let Some(limit) = request.time_limit.map(Duration::from_secs) else {
            return Self::default();
        };
        let left = limit.saturating_sub(ago);
        let Some((_, before)) = request.warning else {
            return Self { limit: now.checked_add(left), ..Self::default() };
        };
        let lead = Duration::from_secs(before).min(limit);
        match warned_ago {
            Some(warned_ago) => {
                let left = left.max(lead.saturating_sub(warned_ago));
                Self { limit: now.checked_add(left), ..Self::default() }
            }
            None => {
                let left = left.max(lead);
                let (warn, limit) = (now.checked_add(left - lead), now.checked_add(left));
                Self { warn, limit, kill: None }
            }
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        [self.warn, self.limit, self.kill].into_iter().flatten().min()
    }
}

impl Job {
    /// Returns the job of an element that is being started, or of whose start little is known.
    pub(crate) fn new(id: JobId, array: &Array, index: u32, restarts: u32) -> Self {
        Self {
            id,
            array: array.id,
            index,
            request: Arc::clone(&array.request),
            restarts,
            started_at: None,
            granted: array.request.needs,
            gpus: Vec::new(),
            boot: None,
            processes: Vec::new(),
            warned_at: None,
            ending: None,
            first_failure: None,
            entered: false,
            ended_alone: false,
            alarms: Alarms::default(),
        }
    }

    /// Returns where the files of its run are.
    pub(crate) fn files(&self) -> RunFiles {
        RunFiles::new(&self.request, self.array, self.id, self.index, self.restarts)
    }

    /// Returns its processes that have not ended.
    pub(crate) fn alive(&self) -> Vec<Identity> {
        let alive = self.processes.iter().filter(|process| !process.ended);
        alive.map(|process| process.identity).collect()
    }

    /// Returns the state to tell: a job that was told to end is `COMPLETING`, as on Slurm.
    pub(crate) fn told_state(&self) -> JobState {
        if self.ending.is_some() { JobState::Completing } else { JobState::Running }
    }

    pub(crate) fn status(&self, host: &str) -> Status {
        Status {
            id: self.id,
            elements: None,
            dir: self.request.dir.clone(),
            state: self.told_state(),
            reason: None,
            host: host.to_owned(),
            exit: None,
            entered: false,
            started: self.started_at.map(|at| at / 1000),
            time_limit: self.request.time_limit,
            ahead: None,
        }
    }
}
