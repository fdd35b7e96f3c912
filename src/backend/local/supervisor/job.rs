//! A job in the supervisor's hands.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use slurm_core::ids::JobId;
use slurm_core::options::{Dependency, DependencyItem};
use slurm_core::state::JobState;

use super::identity::Identity;
use crate::backend::Exit;
use crate::backend::local::capacity::Capacity;
use crate::backend::local::gpus::Gpu;
use crate::backend::local::protocol::{JobRequest, Status, host};

/// A job.
#[derive(Debug)]
pub(super) struct LocalJob {
    pub(super) id: JobId,
    /// If it is an element of an array, which shares its request.
    pub(super) element: Option<Element>,
    /// Without the environment, which is in a file of its own.
    pub(super) request: Arc<JobRequest>,
    pub(super) dependency: Option<Dependency>,
    pub(super) within: Option<Parent>,
    pub(super) state: JobState,
    pub(super) reason: Option<String>,
    pub(super) started_at: Option<SystemTime>,
    /// Milliseconds since the Unix epoch.
    pub(super) ended_at: Option<u64>,
    pub(super) exit: Option<Exit>,
    /// Whether the task was called in the last run, if it has ended.
    pub(super) entered: bool,
    /// How often it was requeued.
    pub(super) restarts: u32,
    /// From its start to its end.
    pub(super) run: Option<Run>,
}

/// The job of the workflow that submits a job.
///
/// It existed before, so its id is lower. So a walk from parent to parent ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parent(JobId);

impl Parent {
    /// Returns the parent of the job that is to have the id `id`.
    ///
    /// # Errors
    /// There can be no job of the parent's id before that one.
    pub(super) fn of(id: JobId, request: &JobRequest) -> Result<Option<Self>, String> {
        match request.within {
            Some(parent) if parent >= id => {
                Err(format!("it is submitted by job {parent}, which does not exist"))
            }
            parent => Ok(parent.map(Self)),
        }
    }

    pub(super) fn id(self) -> JobId {
        self.0
    }
}

/// Which element of which array a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) array: JobId,
    pub(super) index: u32,
    /// How many elements the array has.
    pub(super) size: u32,
}

/// What a running job holds.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) granted: Capacity,
    pub(super) gpus: Vec<Gpu>,
    /// Which boot of the machine it was started in.
    pub(super) boot: Option<String>,
    pub(super) processes: Vec<Process>,
    /// When its warning signal was sent.
    pub(super) warned_at: Option<SystemTime>,
    /// If it was told to end: its final state, and when it was told, in milliseconds since the Unix epoch.
    pub(super) ending: Option<(JobState, u64)>,
    /// How the first of its processes failed; the others were ended because of that.
    pub(super) first_failure: Option<Exit>,
    pub(super) alarms: Alarms,
}

/// One process of a job, the leader of its process group.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) rank: u32,
    pub(super) identity: Identity,
    pub(super) ended: bool,
    pub(super) exit: Option<Exit>,
}

impl Process {
    /// Returns a process that has not ended, as far as is known.
    pub(super) fn new(rank: u32, identity: Identity) -> Self {
        Self { rank, identity, ended: false, exit: None }
    }
}

/// When something has to happen to a running job.
#[derive(Debug, Default)]
pub(super) struct Alarms {
    pub(super) warn: Option<Instant>,
    pub(super) limit: Option<Instant>,
    pub(super) kill: Option<Instant>,
}

impl Alarms {
    /// Returns the alarms of a job that started `ago`, and was warned `warned_ago` if it was.
    ///
    /// The job needs the time between the warning and the limit to react, so a late warning puts off the limit.
    pub(super) fn new(request: &JobRequest, ago: Duration, warned_ago: Option<Duration>) -> Self {
        let now = Instant::now();
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

    pub(super) fn next(&self) -> Option<Instant> {
        [self.warn, self.limit, self.kill].into_iter().flatten().min()
    }
}

impl LocalJob {
    /// Returns a job that waits.
    ///
    /// # Errors
    /// What is wrong with its dependencies; they were checked before, by the same grammar.
    pub(super) fn new(id: JobId, request: JobRequest) -> Result<Self, String> {
        let dependency = dependency(id, &request)?;
        let within = Parent::of(id, &request)?;
        Ok(Self { dependency, within, ..Self::waiting(id, None, Arc::new(request)) })
    }

    /// Returns an element of an array, whose dependencies are met.
    pub(super) fn of_array(
        id: JobId,
        element: Element,
        within: Option<Parent>,
        request: Arc<JobRequest>,
    ) -> Self {
        Self { within, ..Self::waiting(id, Some(element), request) }
    }

    fn waiting(id: JobId, element: Option<Element>, request: Arc<JobRequest>) -> Self {
        Self {
            id,
            element,
            request,
            dependency: None,
            within: None,
            state: JobState::Pending,
            reason: None,
            started_at: None,
            ended_at: None,
            exit: None,
            entered: false,
            restarts: 0,
            run: None,
        }
    }

    /// Returns the number of an element among those of all arrays of its submission.
    pub(super) fn number(&self) -> Option<u64> {
        let first = self.request.array?.first;
        self.element.map(|element| first.saturating_add(element.index.into()))
    }

    /// Puts the job back among those that wait, with `restarts` runs behind it.
    pub(super) fn wait_again(&mut self, restarts: u32) {
        self.restarts = restarts;
        (self.state, self.reason, self.started_at) = (JobState::Pending, None, None);
        self.run = None;
    }

    pub(super) fn has_ended(&self) -> bool {
        self.state.is_terminal()
    }

    /// Returns the state to tell: one that was told to end is `COMPLETING`, as on Slurm.
    pub(super) fn told_state(&self) -> JobState {
        match self.run.as_ref().and_then(|run| run.ending.as_ref()) {
            Some(_) if !self.has_ended() => JobState::Completing,
            _ => self.state.clone(),
        }
    }

    pub(super) fn status(&self) -> Status {
        Status {
            id: self.id,
            elements: None,
            dir: self.request.dir.clone(),
            state: self.told_state(),
            reason: self.reason.clone(),
            host: host(),
            exit: self.exit,
            entered: self.entered,
            started: self
                .started_at
                .and_then(|at| Some(at.duration_since(UNIX_EPOCH).ok()?.as_secs())),
            time_limit: self.request.time_limit,
            ahead: None,
        }
    }
}

/// Reads the dependencies of the request that is to have the id `id`.
///
/// # Errors
/// They cannot be read, or name a job that does not exist before this one.
pub(super) fn dependency(id: JobId, request: &JobRequest) -> Result<Option<Dependency>, String> {
    let dependency = request.dependency.as_deref().map(str::parse).transpose();
    let dependency: Option<Dependency> =
        dependency.map_err(|error| format!("its dependencies: {error}"))?;
    let items = dependency.iter().flat_map(|dependency| &dependency.items);
    let mut references = items.flat_map(|item| match item {
        DependencyItem::Jobs { jobs, .. } => jobs.as_slice(),
        DependencyItem::Singleton => &[],
    });
    match references.find(|reference| reference.id >= id.get()) {
        Some(other) => Err(format!("it waits for job {}, which does not exist", other.id)),
        None => Ok(dependency),
    }
}

/// What Slurm puts for the index of a job that is not in an array.
const NO_INDEX: u32 = 0xffff_fffe;
/// The most digits to which Slurm pads a number in a file name.
const MOST_DIGITS: usize = 10;

/// Returns the file that a log pattern names; the patterns that make sense for one process on one host.
pub(super) fn log_path(pattern: &str, job: &LocalJob) -> std::path::PathBuf {
    let (array, index) =
        job.element.map_or((job.id, NO_INDEX), |element| (element.array, element.index));
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('%') {
        path.push_str(before);
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (width, after) = after.split_at(digits);
        let mut chars = after.chars();
        let number = match chars.next() {
            Some('j') => Some(job.id.get()),
            Some('A') => Some(array.get()),
            Some('a') => Some(index),
            Some('n' | 's' | 't') => Some(0),
            _ => None,
        };
        let width = width.parse().unwrap_or(MOST_DIGITS).min(MOST_DIGITS) * usize::from(digits > 0);
        match (number, after.chars().next()) {
            (Some(number), _) => path.push_str(&format!("{number:0width$}")),
            (None, Some('x')) => path.push_str(&job.request.name),
            (None, Some('u')) => path.push_str(&std::env::var("USER").unwrap_or_default()),
            (None, Some('N')) => path.push_str(&host()),
            (None, Some('%') | None) => path.push('%'),
            (None, Some(other)) => path.extend(['%', other]),
        }
        rest = chars.as_str();
    }
    path.push_str(rest);
    job.request.working_dir.join(path)
}
