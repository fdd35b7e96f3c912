//! The processes of jobs.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use slurm_core::ids::JobId;

use super::Event;
use super::environment::slurm_variables;
use super::job::{LocalJob, Process, log_path};
use crate::backend::Exit;
use crate::backend::local::capacity::Capacity;

/// Starts the processes of a job; if one cannot be started, none is left.
pub(super) fn start(
    job: &LocalJob,
    granted: Capacity,
    gpus: &[u32],
    events: &Sender<Event>,
) -> io::Result<Vec<Process>> {
    let request = &job.request;
    let stdout = open_log(&log_path(&request.stdout, job), request.append)?;
    let stderr = if request.stderr == request.stdout {
        stdout.try_clone()?
    } else {
        open_log(&log_path(&request.stderr, job), request.append)?
    };
    let mut processes = Vec::new();
    for rank in 0..request.tasks {
        // The script is read by the shell and not executed itself, so no client that still has it open
        // anywhere can be in the way.
        let mut command = Command::new("/bin/sh");
        command
            .arg(&request.script)
            .env_clear()
            .envs(request.environment.iter().map(|(name, value)| (name, value)))
            .envs(slurm_variables(job, rank, granted, gpus))
            .current_dir(&request.working_dir)
            .stdin(Stdio::null())
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?)
            .process_group(0);
        match command.spawn() {
            Ok(child) => {
                processes.push(Process { pid: child.id(), ended: false, exit: None });
                watch(job.id, child, events.clone());
            }
            Err(error) => {
                processes.iter().for_each(|process| signal(process.pid, Signal::KILL));
                return Err(error);
            }
        }
    }
    Ok(processes)
}

fn open_log(path: &Path, append: bool) -> io::Result<File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    OpenOptions::new().create(true).append(append).write(true).truncate(!append).open(path)
}

fn watch(job: JobId, mut child: Child, events: Sender<Event>) {
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
        let _ = events.send(Event::Exited { job, pid, exit });
    });
}

/// Watches a process that an earlier supervisor started.
pub(super) fn watch_adopted(job: JobId, pid: u32, script: &Path, events: Sender<Event>) {
    let script = script.to_owned();
    thread::spawn(move || {
        while find(&script).contains(&pid) {
            thread::sleep(Duration::from_millis(100));
        }
        let _ = events.send(Event::Exited { job, pid, exit: None });
    });
}

/// Sends a signal to a process and all that it started.
pub(super) fn signal(pid: u32, signal: Signal) {
    if let Some(group) = rustix_pid(pid) {
        // A group that is gone needs no signal.
        let _ = kill_process_group(group, signal);
    }
}

fn rustix_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Returns the processes that run the script of a job: the shell, or the runner that took its place.
///
/// They are known by their command line, which holds the job's directory, so a number that was given
/// to another process meanwhile does no harm.
pub(super) fn find(script: &Path) -> Vec<u32> {
    let spec = script.with_file_name("spec");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let runs_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.any(|word| {
            [script, &spec].iter().any(|path| path.as_os_str().as_encoded_bytes() == word)
        })
    };
    pids.filter(runs_it).collect()
}
