//! The processes of jobs.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid,
};
use slurm_core::durable;
use slurm_core::ids::JobId;
use slurm_core::layout::RUN_MARKS;

use super::core::{Array, Ended, Found, Identity, Job, Process, Reach, RunFiles};
use super::environment::slurm_variables;
use super::identity::end_what_is_left;
use super::log_path::log_path;
use super::marks::Marks;
use super::run::Message;
use crate::backend::Exit;
use crate::backend::local::protocol::Variable;

/// The start of each process of a job: it waits for a line. A supervisor that dies before it has noted all processes
/// sends no line, and then no part of the job runs.
pub(super) const GATE: &str =
    "read -r go || exit 0; (umask 077; true > \"$2\") || exit 1; exec /bin/sh \"$1\" < /dev/null";

/// Starts the processes of a job and gives each to `note`; if one cannot be started, none is left.
///
/// The job's script begins once all of them are noted. Its marks are prepared already.
pub(super) fn start(
    array: &Array,
    job: &Job,
    environment: &[Variable],
    events: &Sender<Message>,
    mut note: impl FnMut(u32, Identity),
) -> io::Result<Vec<(u32, Identity)>> {
    let request = &job.request;
    enter(&request.working_dir)?;
    let stdout = open_log(&log_path(&request.stdout, array, job), request.append)?;
    let stderr = if request.stderr == request.stdout {
        stdout.try_clone()?
    } else {
        open_log(&log_path(&request.stderr, array, job), request.append)?
    };
    let marks = Marks::of(&job.files());
    let (gate, mut opener) = io::pipe()?;
    let mut processes = Vec::new();
    for rank in 0..request.tasks {
        // The script is read by the shell and not executed itself, so no client that still has it open
        // anywhere can be in the way.
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", GATE, "slurm-sdk"])
            .args([&request.script, &marks.begun()])
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (&name.0, &value.0)))
            .envs(slurm_variables(array, job, rank))
            .env(RUN_MARKS, &marks.prefix)
            .current_dir(&request.working_dir)
            .stdin(gate.try_clone()?)
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            .process_group(0);
        let spawned = command.spawn().and_then(|child| {
            // It is not waited for yet, so it is there even if it has ended.
            let identity = Identity::of(child.id());
            let pid = child.id();
            watch(job.id, child, events.clone());
            identity.ok_or_else(|| {
                signal(pid, Signal::KILL);
                io::Error::other("/proc does not tell of it")
            })
        });
        match spawned {
            Ok(identity) => {
                note(rank, identity);
                processes.push((rank, identity));
            }
            Err(error) => {
                let started = processes.iter().map(|(_, process): &(u32, Identity)| process.pid);
                started.for_each(|pid| signal(pid, Signal::KILL));
                return Err(error);
            }
        }
    }
    // One write releases all of them, so a supervisor cannot die between two.
    // If there are no readers, all processes have ended, which is noticed elsewhere.
    let _ = opener.write_all(&vec![b'\n'; processes.len()]);
    Ok(processes)
}

/// Names the working directory in an error, because the error of starting a process does not.
fn enter(dir: &Path) -> io::Result<()> {
    let Err(error) = dir.join(".").metadata() else { return Ok(()) };
    let message = format!("the working directory {} cannot be entered: {error}", dir.display());
    Err(io::Error::new(error.kind(), message))
}

fn open_log(path: &Path, append: bool) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        durable::create_dirs(parent)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).mode(durable::mode_beside(path)?);
    // Opening a pipe without a reader would block the supervisor; in non-blocking mode it is an error.
    let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    options.append(append).write(true).truncate(!append).custom_flags(nonblocking);
    let log = options.open(path)?;
    fcntl_setfl(&log, fcntl_getfl(&log)? - OFlags::NONBLOCK)?;
    Ok(log)
}

fn watch(job: JobId, mut child: Child, events: Sender<Message>) {
    thread::spawn(move || {
        let pid = child.id();
        if let Some(process) = rustix_pid(pid) {
            // Leaves the process a zombie, so that its number is not given away before its group is cleaned up.
            let _ = waitid(WaitId::Pid(process), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
            signal(pid, Signal::KILL);
        }
        let exit = child.wait().ok().map(|status| Exit {
            code: status.code().unwrap_or(0),
            signal: status.signal().unwrap_or(0),
        });
        // The supervisor may be ending.
        let _ = events.send(Message::Exited { job, pid, exit, found: Found::default() });
    });
}

/// Watches a process that an earlier supervisor has started.
pub(super) fn watch_adopted(files: &RunFiles, process: &Process, events: Sender<Message>) {
    let (job, marks) = (files.job, Marks::of(files));
    let Process { rank, identity: process, .. } = *process;
    thread::spawn(move || {
        while process.is_alive() {
            thread::sleep(Duration::from_millis(100));
        }
        // What it started goes with it, unless its number was given away meanwhile.
        if Identity::of(process.pid).is_none_or(|now| now == process) {
            signal(process.pid, Signal::KILL);
        }
        let ended = Ended::Ranks(vec![rank]);
        end_what_is_left(&HashMap::from([(marks.prefix.clone(), ended)]));
        let found = marks.found();
        let _ = events.send(Message::Exited { job, pid: process.pid, exit: None, found });
    });
}

/// Sends a signal to processes.
pub(super) fn signal_all(processes: &[Identity], which: Signal, reach: Reach) {
    for process in processes {
        match reach {
            Reach::Group => signal(process.pid, which),
            Reach::Alone => signal_alone(process.pid, which),
        }
    }
}

/// Sends a signal to a process and all that it started.
fn signal(pid: u32, signal: Signal) {
    if let Some(group) = rustix_pid(pid) {
        // A group that is gone needs no signal.
        let _ = kill_process_group(group, signal);
    }
}

/// Sends a signal to one process, without its children.
fn signal_alone(pid: u32, signal: Signal) {
    if let Some(pid) = rustix_pid(pid) {
        // One that is gone needs no signal.
        let _ = kill_process(pid, signal);
    }
}

fn rustix_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}
