//! Putting the job back into the queue, at the task's wish or before the time limit.
//!
//! A run that asks for it leaves no outcome but a note, which tells whoever looks at the job afterwards.
//! On a real Slurm `scontrol requeue` does it, called from here; the embedded supervisor reads the note. A
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
    decided: Mutex<bool>,
    undecided: Condvar,
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
            several: environment::is_one_of_several(),
            stop,
            decided: Mutex::new(false),
            undecided: Condvar::new(),
            warned: AtomicBool::new(false),
        }
    }

    /// Decides that this run ends as the caller says. Who comes second waits for the end of the process, or
    /// until the other one leaves the decision to it.
    pub(crate) fn decide(&self) {
        let decided = self.decided.lock().unwrap_or_else(PoisonError::into_inner);
        let decided = self.undecided.wait_while(decided, |decided| *decided);
        *decided.unwrap_or_else(PoisonError::into_inner) = true;
    }

    /// Takes the decision back: the run ends in another way.
    fn undecide(&self) {
        *self.decided.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.undecided.notify_one();
    }

    /// Returns how long from now the job has to be requeued that was warned some time `ago`, at the first signal only.
    pub(crate) fn time_after_warning(&self, ago: Duration) -> Option<Duration> {
        let left = Duration::from_secs(self.policy.before_timeout?);
        let first = !self.warned.swap(true, Ordering::SeqCst);
        first.then(|| (left - (left / 4).min(LONGEST_MARGIN)).saturating_sub(ago))
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
        // The diary is what keeps the bound, so without it there is no other run.
        let noted = Event::now(event)
            .append_to(&self.dir.events())
            .and_then(|()| note.write(&note_path(&self.dir)));
        noted
            .map_err(|error| refusal(format!("that cannot be noted in its directory: {error}")))?;
        if by_scontrol && !self.several {
            scontrol::requeue()?;
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

/// The elements of an array share the directory.
pub(crate) fn note_path(dir: &JobDir) -> PathBuf {
    let array = environment::number("SLURM_ARRAY_JOB_ID").and_then(JobId::new);
    dir.requeue_of(array.zip(environment::number("SLURM_ARRAY_TASK_ID")))
}

impl Requeueing {
    /// Requeues the job, which was warned some time `ago`, before the time limit, unless the work is done by then. With a
    /// `writer`, a refusal is the job's outcome; without one the work goes on until the time limit ends it.
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
                        // The work goes on even if the message cannot be written.
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
            tell(&refusal(format!("the time limit will come: {error}")));
        }
    }
}

#[allow(clippy::exit, reason = "the task does not return, and the time limit is near")]
fn end_process(code: u8) -> ! {
    exited::is_over();
    environment::mark_end(code);
    std::process::exit(code.into())
}
