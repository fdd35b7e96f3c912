//! Putting the job back into the queue, at the task's wish or before the time limit.
//!
//! A run that asks for it leaves no outcome but a note, which tells whoever looks at the job afterwards.
//! On a real Slurm `scontrol requeue` does it, called from here; the embedded supervisor reads the note. A
//! job of several processes ends first, and the batch script then calls this program once more.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use slurm_core::context::StopFlag;
use slurm_core::events::{Event, EventKind};
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Failure, FailureKind};
use slurm_core::requeue::{RequeueNote, RequeuePolicy, Requeuer};
use slurm_core::task::TaskEntry;

use crate::run::tell;
use crate::writer::Writer;
use crate::{environment, exit};

/// How this run's job can be requeued.
#[derive(Debug)]
pub(crate) struct Requeueing {
    policy: RequeuePolicy,
    dir: JobDir,
    job_id: Option<JobId>,
    restart_count: u32,
    several: bool,
    stop: StopFlag,
    /// The run has an end: the function's own, or the one that the time limit makes.
    decided: AtomicBool,
    warned: AtomicBool,
}

/// The longest time kept for the requeueing itself before the time limit.
const LONGEST_MARGIN: Duration = Duration::from_secs(10);

impl Requeueing {
    pub(crate) fn new(policy: RequeuePolicy, dir: JobDir, stop: StopFlag) -> Self {
        let number = environment::number;
        Self {
            policy,
            dir,
            job_id: number("SLURM_JOB_ID").and_then(JobId::new),
            restart_count: number("SLURM_RESTART_COUNT").unwrap_or(0),
            several: number("SLURM_NTASKS").is_some_and(|tasks| tasks > 1),
            stop,
            decided: AtomicBool::new(false),
            warned: AtomicBool::new(false),
        }
    }

    /// Decides that this run ends as the caller says. Who comes second waits for the end of the process.
    pub(crate) fn decide(&self) {
        while self.decided.swap(true, Ordering::SeqCst) {
            thread::park();
        }
    }

    /// Returns how long after the warning signal the job has to be requeued, at the first signal only.
    pub(crate) fn time_after_warning(&self) -> Option<Duration> {
        let left = Duration::from_secs(self.policy.before_timeout?);
        let first = !self.warned.swap(true, Ordering::SeqCst);
        first.then(|| left - (left / 4).min(LONGEST_MARGIN))
    }

    /// Asks for the job to be run again, and returns the exit code for this run.
    ///
    /// # Errors
    /// The failure with which the job ends instead.
    pub(crate) fn ask(&self, reason: &str) -> Result<u8, Failure> {
        if self.policy.by == Requeuer::Nobody {
            return Err(refusal("`no_requeue` forbids it".to_owned()));
        }
        let by_scontrol = self.policy.by == Requeuer::Scontrol;
        if by_scontrol && self.stop.is_last() && !may_still_be_requeued() {
            return Ok(exit::REQUEUE);
        }
        let before = self.requeues();
        if before >= self.policy.max {
            let times = if before == 1 { "time" } else { "times" };
            return Err(refusal(format!(
                "it was requeued {before} {times} already, and `max_requeues` is {}",
                self.policy.max
            )));
        }
        let (job_id, restart_count) = (self.job_id, self.restart_count);
        let event = EventKind::Requeued { job_id, restart_count, reason: reason.to_owned() };
        let note = RequeueNote { restart_count, reason: reason.to_owned() };
        // The diary is what keeps the bound, so without it there is no other run.
        let noted = Event::now(event)
            .append_to(&self.dir.events())
            .and_then(|()| note.write(&note_path(&self.dir)));
        noted
            .map_err(|error| refusal(format!("that cannot be noted in its directory: {error}")))?;
        if by_scontrol && !self.several {
            scontrol_requeue()?;
        }
        Ok(exit::REQUEUE)
    }

    /// How often this job asked before; several processes of one run count once.
    fn requeues(&self) -> u32 {
        let diary = fs::read_to_string(self.dir.events()).unwrap_or_default();
        let runs: BTreeSet<u32> = Event::read_all(&diary)
            .into_iter()
            .filter_map(|event| match event.event {
                EventKind::Requeued { job_id, restart_count, .. } => (job_id == self.job_id
                    && restart_count < self.restart_count)
                    .then_some(restart_count),
                _ => None,
            })
            .collect();
        u32::try_from(runs.len()).unwrap_or(u32::MAX)
    }
}

/// Whether a job that got SIGTERM runs on as far as Slurm is concerned, or is out of time. `scontrol
/// requeue` would bring back one that was cancelled, too.
fn may_still_be_requeued() -> bool {
    let Some(target) = target() else { return false };
    let output = Command::new("squeue")
        .args(["-h", "-o", "%T|%r", "-j"])
        .arg(target)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout);
        let (state, reason) = text.trim().split_once('|').unwrap_or_default();
        state == "RUNNING" || reason == "TimeLimit"
    })
}

/// Requeues a job of several processes after all of them have ended, and returns the exit code of the
/// batch script: `code`, that of the processes, if none of them has asked for it.
fn requeue_after(dir: &JobDir, code: u8) -> (u8, Option<Failure>) {
    let number = environment::number;
    let restart_count = number("SLURM_RESTART_COUNT").unwrap_or(0);
    let asked = RequeueNote::read(&note_path(dir), restart_count).is_some();
    if !asked || dir.result().exists() {
        return (code, None);
    }
    match scontrol_requeue() {
        Ok(()) => (exit::REQUEUE, None),
        Err(failure) => (exit::FAILED, Some(failure)),
    }
}

/// What Slurm's commands call this job. One of the elements of an array has the array's own id, and by that
/// the whole array would be meant.
fn target() -> Option<String> {
    let number = environment::number;
    match number("SLURM_ARRAY_JOB_ID").zip(number("SLURM_ARRAY_TASK_ID")) {
        Some((array, index)) => Some(format!("{array}_{index}")),
        None => Some(number("SLURM_JOB_ID")?.to_string()),
    }
}

fn scontrol_requeue() -> Result<(), Failure> {
    let job = target().ok_or_else(|| refusal("it has no job id".to_owned()))?;
    let output = Command::new("scontrol")
        .arg("requeue")
        .arg(&job)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| refusal(format!("cannot run `scontrol requeue {job}`: {error}")))?;
    // It is one of the job's processes, so a successful call may be its own end.
    if output.status.success() || output.status.code().is_none() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(refusal(format!("`scontrol requeue {job}` failed: {words}")))
}

/// The elements of an array share the directory.
fn note_path(dir: &JobDir) -> PathBuf {
    let array = environment::number("SLURM_ARRAY_JOB_ID").and_then(JobId::new);
    dir.requeue_of(array.zip(environment::number("SLURM_ARRAY_TASK_ID")))
}

fn refusal(reason: String) -> Failure {
    Failure::new(FailureKind::Requeue, reason)
}

/// Plays the role of the batch script's last call, if the command line behind `__slurm` names it:
/// `requeue SPEC CODE`. Returns the exit code of the process.
pub fn role(arguments: &[OsString]) -> Option<u8> {
    let [role, path, code] = arguments else { return None };
    if role != "requeue" {
        return None;
    }
    let dir = JobDir::at(Path::new(path).parent().unwrap_or(Path::new(".")));
    let code = code.to_str()?.parse().unwrap_or(exit::FAILED);
    let (code, failure) = requeue_after(&dir, code);
    if let Some(failure) = failure {
        tell(&failure);
        let writer = Writer::new(&dir, environment::now_micros());
        let _ = writer.write(None, Ending::Failure(Box::new(failure)));
    }
    Some(code)
}

impl Requeueing {
    /// Requeues the job before the time limit, unless the work is done by then. With a `writer`, a refusal
    /// is the job's outcome; without one the time limit is left to come.
    pub(crate) fn requeue_in_time(
        self: &Arc<Self>,
        writer: Option<(Arc<Writer>, &'static TaskEntry)>,
    ) {
        let Some(wait) = self.time_after_warning() else { return };
        let requeueing = Arc::clone(self);
        let requeue = move || {
            thread::sleep(wait);
            requeueing.decide();
            let code = match requeueing.ask("the time limit is near") {
                Ok(code) => code,
                Err(failure) => {
                    tell(&failure);
                    // The code says the same.
                    if let Some((writer, entry)) = writer {
                        let _ = writer.write(Some(entry), Ending::Failure(Box::new(failure)));
                    }
                    exit::FAILED
                }
            };
            end_process(code);
        };
        if let Err(error) = thread::Builder::new().name("slurm-timeout".to_owned()).spawn(requeue) {
            tell(&refusal(format!("the time limit will come: {error}")));
        }
    }
}

#[allow(clippy::exit, reason = "the task does not return, and the time limit is near")]
fn end_process(code: u8) -> ! {
    std::process::exit(code.into())
}
