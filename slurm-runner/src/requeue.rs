//! Requeueing the job, at the task's request or before the time limit.
//!
//! A run that asks for a requeue leaves a note instead of an outcome, for processes that look at the job
//! afterwards. On a real Slurm the runner calls `scontrol requeue`; the embedded supervisor reads the note. A
//! job of several processes ends first; see `conclude`.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use slurm_core::context::StopFlag;
use slurm_core::events::{Event, EventKind};
use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Failure};
use slurm_core::requeue::{RequeueNote, RequeuePolicy, Requeuer};
use slurm_core::task::TaskEntry;

use crate::scontrol::refusal;
use crate::tell::tell;
use crate::writer::Writer;
use crate::{environment, exit, exited, scontrol};

/// The requeue policy of this run's job, and its state.
#[derive(Debug)]
pub(crate) struct Requeueing {
    policy: RequeuePolicy,
    dir: JobDir,
    job_id: Option<JobId>,
    restart_count: u32,
    several: bool,
    stop: StopFlag,
    /// Whether the end of this run is decided: by the function's return or by the time limit.
    decided: Mutex<bool>,
    undecided: Condvar,
    warned: AtomicBool,
}

/// The longest time that is reserved for the requeueing itself before the time limit.
const LONGEST_MARGIN: Duration = Duration::from_secs(10);

impl Requeueing {
    pub(crate) fn new(policy: RequeuePolicy, dir: JobDir, stop: StopFlag) -> Self {
        let number = environment::number;
        Self {
            policy,
            dir,
            job_id: number("SLURM_JOB_ID").and_then(JobId::new),
            restart_count: number("SLURM_RESTART_COUNT").unwrap_or(0),
            several: environment::is_one_of_several(),
            stop,
            decided: Mutex::new(false),
            undecided: Condvar::new(),
            warned: AtomicBool::new(false),
        }
    }

    /// Decides that this run ends as the caller says. A second caller waits for the end of the process, or
    /// until the first one calls [`undecide`](Self::undecide).
    pub(crate) fn decide(&self) {
        let decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        let decided = self.undecided.wait_while(decided, |decided| *decided);
        *decided.unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Withdraws the decision, because the run ends in another way.
    fn undecide(&self) {
        *self.decided.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.undecided.notify_one();
    }

    /// Returns the time until the job must be requeued, at the first warning only. The warning came `ago`
    /// before now.
    pub(crate) fn time_after_warning(&self, ago: Duration) -> Option<Duration> {
        let left = Duration::from_secs(self.policy.before_timeout?);
        let first = !self.warned.swap(true, Ordering::SeqCst);
        first.then(|| (left - (left / 4).min(LONGEST_MARGIN)).saturating_sub(ago))
    }

    /// Asks for another run of the job, and returns the exit code for this run.
    ///
    /// # Errors
    /// The failure with which the job ends instead.
    pub(crate) fn ask(&self, reason: &str) -> Result<u8, Failure> {
        if self.policy.by == Requeuer::Nobody {
            return Err(refusal("`no_requeue` forbids it".to_owned()));
        }
        let by_scontrol = self.policy.by == Requeuer::Scontrol;
        if by_scontrol && self.stop.is_last() && !scontrol::may_requeue() {
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
        // The diary keeps count of the requeues, so without it there is no other run.
        let noted = Event::now(event)
            .append_to(&environment::diary(&self.dir))
            .and_then(|()| note.write(&note_path(&self.dir)));
        noted.map_err(|error| {
            refusal(format!("the request cannot be noted in its directory: {error}"))
        })?;
        if by_scontrol && !self.several {
            scontrol::requeue()?;
        }
        Ok(exit::REQUEUE)
    }

    /// Returns how often this job has asked before. Several processes of one run count once.
    fn requeues(&self) -> u32 {
        let asked = |event: Event| match event.event {
            EventKind::Requeued { job_id, restart_count, .. } => (job_id == self.job_id
                && restart_count < self.restart_count)
                .then_some(restart_count),
            _ => None,
        };
        let runs: BTreeSet<u32> = self.diaries().into_iter().filter_map(asked).collect();
        u32::try_from(runs.len()).unwrap_or(u32::MAX)
    }

    /// What this job has noted on all of its nodes. The runs before may have been on other nodes, whose new files NFS
    /// shows because the directory is opened.
    fn diaries(&self) -> Vec<Event> {
        let element = environment::element();
        let entries = fs::read_dir(self.dir.path()).into_iter().flatten().flatten();
        let diaries = entries
            .filter(|entry| {
                entry.file_name().to_str().is_some_and(|name| JobDir::is_diary(name, element))
            })
            .map(|entry| fs::read_to_string(entry.path()).unwrap_or_default());
        Event::join(diaries.map(|diary| Event::read_all(&diary)))
    }
}

/// Returns the path of the note. Elements of an array share the directory, so each has its own file.
pub(crate) fn note_path(dir: &JobDir) -> PathBuf {
    dir.requeue_of(environment::element())
}

impl Requeueing {
    /// Requeues the job before the time limit, unless its work ends first. The warning came `ago` before now.
    /// With a `writer`, a refusal becomes the job's outcome; without one the work continues until the time
    /// limit ends it.
    pub(crate) fn requeue_in_time(
        self: &Arc<Self>,
        ago: Duration,
        writer: Option<(Arc<Writer>, &'static TaskEntry)>,
    ) {
        let Some(wait) = self.time_after_warning(ago) else { return };
        let requeueing = Arc::clone(self);
        let requeue = move || {
            thread::sleep(wait);
            requeueing.decide();
            let code = match requeueing.ask("the time limit is near") {
                Ok(code) => code,
                Err(failure) => {
                    let Some((writer, entry)) = writer else {
                        // The work continues even if the message cannot be written.
                        requeueing.undecide();
                        return tell(&failure);
                    };
                    let ending = Ending::Failure(Box::new(failure.clone()));
                    let written = writer.write(Some(entry), ending);
                    tell(&failure);
                    match written {
                        Ok(()) => {
                            writer.append(&Event::now(EventKind::Finished {
                                exit_code: exit::FAILED,
                            }));
                            exit::FAILED
                        }
                        Err((_, code)) => code,
                    }
                }
            };
            end_process(code);
        };
        if let Err(error) = thread::Builder::new().name("slurm-timeout".to_owned()).spawn(requeue) {
            tell(&refusal(format!("the job cannot be requeued before its time limit: {error}")));
        }
    }
}

#[allow(clippy::exit, reason = "the task does not return, and the time limit is near")]
fn end_process(code: u8) -> ! {
    exited::is_over();
    environment::mark_end(code);
    std::process::exit(code.into())
}
