//! Which process is which, across supervisors.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;

use super::process::GATE;
use crate::backend::script::AGAIN;
use slurm_core::roles::INTERNAL;

/// A process, told from a later one that was given the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: u32,
    /// Clock ticks since the machine booted.
    start: u64,
}

/// What `/proc/PID/stat` tells of a process, in the words of proc_pid_stat(5).
#[derive(Debug)]
pub(super) struct Stat {
    state: char,
    parent: u32,
    group: u32,
    start: u64,
}

impl Identity {
    /// Returns the identity of the process that has this number now.
    pub(super) fn of(pid: u32) -> Option<Self> {
        Some(Self { pid, start: stat(pid)?.start })
    }

    /// Whether the environment that it was started with says that it is of this job.
    pub(super) fn is_of_job(self, id: JobId) -> bool {
        self.variable("SLURM_JOB_ID").is_some_and(|value| value == id.to_string())
    }

    /// Returns a variable of the environment that it was started with.
    pub(super) fn variable(self, name: &str) -> Option<String> {
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).ok()?;
        let mut variables = environment.split(|byte| *byte == 0);
        let value = |variable: &[u8]| {
            let value = variable.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            String::from_utf8(value.to_vec()).ok()
        };
        variables.find_map(value)
    }

    fn kill(self) {
        if let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) {
            // It may have ended.
            let _ = kill_process(pid, Signal::KILL);
        }
    }

    /// Whether it still runs. One that has ended and that nobody has waited for does not.
    pub(super) fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.start == self.start && !"ZXx".contains(stat.state))
    }
}

/// Returns which boot of the machine this is.
pub(super) fn boot() -> Option<String> {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned())
}

/// A snapshot of the processes of this machine that may belong to jobs.
#[derive(Debug, Default)]
pub(super) struct Processes {
    /// Leaders of groups, by the script that they run or the spec that they were started with.
    leaders: HashMap<PathBuf, Vec<Identity>>,
    /// All, by their group.
    groups: HashMap<u32, Vec<Identity>>,
}

impl Processes {
    pub(super) fn now() -> Self {
        let mut processes = Self::default();
        let Ok(entries) = fs::read_dir("/proc") else { return processes };
        for entry in entries.flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            let Some((pid, stat)) = pid.and_then(|pid| Some((pid, stat(pid)?))) else { continue };
            let identity = Identity { pid, start: stat.start };
            processes.groups.entry(stat.group).or_default().push(identity);
            if stat.group == pid
                && let Some(path) = script_or_spec(pid)
            {
                processes.leaders.entry(path).or_default().push(identity);
            }
        }
        processes
    }

    /// Returns the processes that run the script of a job: the shell, or the runner that took its place.
    ///
    /// They are known by their whole command line, and lead their groups as every process of a job does.
    pub(super) fn of(&self, script: &Path) -> impl Iterator<Item = Identity> {
        let spec = script.with_file_name("spec");
        let found = |path: &Path| self.leaders.get(path).into_iter().flatten().copied();
        found(script).chain(found(&spec))
    }

    /// Ends the remaining processes in the group of an ended process of the job `id`.
    pub(super) fn end_rest(&self, id: JobId, leader: Identity) {
        let rest = self.groups.get(&leader.pid).into_iter().flatten();
        // The id of the group may have been reused by now.
        for process in rest.filter(|process| process.is_alive() && process.is_of_job(id)) {
            process.kill();
        }
    }
}

/// Returns the processes that are in the groups of `jobs` or were started by such ones, and the job of
/// each.
pub(super) fn members(jobs: &HashMap<u32, JobId>) -> Vec<(u32, JobId)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let all: HashMap<u32, Stat> = pids.filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let job_of = |pid: u32| {
        let mut next = Some(pid);
        // Processes that start and end meanwhile could make a circle.
        for _ in 0..all.len() {
            let stat = all.get(&next?)?;
            if let Some(job) = jobs.get(&stat.group) {
                return Some(*job);
            }
            next = Some(stat.parent);
        }
        None
    };
    all.keys().filter_map(|pid| Some((*pid, job_of(*pid)?))).collect()
}

/// Returns the path in the command line of a process that identifies its job.
fn script_or_spec(pid: u32) -> Option<PathBuf> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let line = line.strip_suffix(&[0]).unwrap_or(&line);
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
    let path = match words[..] {
        // It waits until it may begin.
        [_, b"-c", gate, _, path, _] if gate == GATE.as_bytes() => path,
        // The runner of an array has more arguments.
        [_, internal, b"run", path, ..] if internal == INTERNAL.as_bytes() => path,
        // The script has started itself again in another shell.
        [_, .., path, again] if again == AGAIN.as_bytes() => path,
        [shell, ref options @ .., path]
            if shell.ends_with(b"sh") && options.iter().all(|word| word.starts_with(b"-")) =>
        {
            path
        }
        _ => return None,
    };
    Some(PathBuf::from(OsStr::from_bytes(path)))
}

fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

pub(super) fn parse(line: &[u8]) -> Option<Stat> {
    // The second field is the program's name in parentheses, which may hold anything, these too.
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Counted from 1 in the manual, with two before these.
    let field = |number: usize| fields.get(number - 3).copied();
    Some(Stat {
        state: field(3)?.chars().next()?,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        start: field(22)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let line = b"7 (a) R (b)) S 1 5 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0";
        let stat = parse(line).unwrap();
        assert_eq!((stat.state, stat.group, stat.start), ('S', 5, 4242));
    }

    #[test]
    fn a_later_process_with_the_same_number_is_another_one() {
        let this = Identity::of(std::process::id()).unwrap();
        assert!(this.is_alive());
        assert!(!Identity { start: this.start + 1, ..this }.is_alive());
    }

    #[test]
    fn a_process_that_only_names_the_script_is_not_the_jobs() {
        use std::os::unix::process::CommandExt;
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script.sh");
        fs::write(&script, "read line; exit\n").unwrap();
        let spawn = |program: &str, arguments: &[&str]| {
            let mut command = std::process::Command::new(program);
            command.args(arguments).arg(&script).process_group(0);
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
            command.spawn().unwrap()
        };
        let mut reader = spawn("tail", &["-f"]);
        let mut job = spawn("/bin/sh", &[]);
        // Its command line is empty for a moment while it starts another program.
        let named =
            |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
        let deadline = Instant::now() + Duration::from_secs(10);
        while !(named(job.id()) && named(reader.id())) {
            assert!(Instant::now() < deadline, "the processes do not start");
            std::thread::yield_now();
        }
        let found: Vec<u32> = Processes::now().of(&script).map(|process| process.pid).collect();
        for child in [&mut reader, &mut job] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, [job.id()]);
    }
}
