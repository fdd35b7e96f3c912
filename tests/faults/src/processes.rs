//! The processes of a round, from `/proc`.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};

use crate::shared_fs;

/// A living process that belongs to a round.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) words: Vec<String>,
    environment: Vec<u8>,
}

impl Process {
    /// Returns the spec that the process runs, if the process is a runner.
    pub(crate) fn spec(&self) -> Option<PathBuf> {
        match &self.words[..] {
            [_, door, run, spec, ..] if door == "__slurm" && run == "run" => {
                Some(PathBuf::from(spec))
            }
            _ => None,
        }
    }

    pub(crate) fn is_supervisor(&self) -> bool {
        self.words.get(1..3).is_some_and(|words| words == ["__slurm", "supervise"])
    }

    pub(crate) fn variable(&self, name: &str) -> Option<String> {
        let prefix = format!("{name}=");
        let mut all = self.environment.split(|byte| *byte == 0);
        let found = all.find_map(|one| one.strip_prefix(prefix.as_bytes()))?;
        Some(String::from_utf8_lossy(found).into_owned())
    }

    pub(crate) fn kill(&self) {
        kill(self.pid);
    }
}

/// Sends SIGKILL. The process may have ended already.
pub(crate) fn kill(pid: u32) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// Returns all processes that have `round` in their arguments or environment, except this process.
pub(crate) fn of(round: &Path) -> Vec<Process> {
    let traces = shared_fs::traces(round);
    with(|bytes| traces.iter().any(|path| holds_path(bytes, path.as_bytes())))
}

/// Whether a text contains this path or a path below it. A longer name that begins with the path does not
/// count.
fn holds_path(text: &[u8], path: &[u8]) -> bool {
    let mut places = text.windows(path.len()).enumerate().filter(|(_, window)| *window == path);
    places.any(|(place, _)| {
        text.get(place + path.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
    })
}

/// Returns the processes whose arguments or environment fulfil the condition.
fn with(holds: impl Fn(&[u8]) -> bool) -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| *pid != std::process::id())
        .filter_map(|pid: u32| {
            let dir = PathBuf::from(format!("/proc/{pid}"));
            let words = fs::read(dir.join("cmdline")).ok()?;
            let environment = fs::read(dir.join("environ")).unwrap_or_default();
            if words.is_empty() || !(holds(&words) || holds(&environment)) {
                return None;
            }
            let words = words.split(|byte| *byte == 0);
            let words = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
            Some(Process { pid, words, environment })
        })
        .collect()
}

/// Returns the processes of all rounds whose variable `name` has a value that fits. Jobs inherit the variables
/// of the shell that submitted them, so processes in jobs are left out.
pub(crate) fn with_variable(name: &str, fits: impl Fn(&str) -> bool) -> Vec<u32> {
    let needle = name.as_bytes();
    with(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
        .iter()
        .filter(|process| process.variable(name).is_some_and(|value| fits(&value)))
        .filter(|process| process.variable("SLURM_JOB_ID").is_none())
        .map(|process| process.pid)
        .collect()
}

/// Returns the parent of a process.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
