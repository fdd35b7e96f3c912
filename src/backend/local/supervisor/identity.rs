//! Which process is which, across supervisors.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use slurm_core::ids::JobId;
use slurm_core::layout::RUN_MARKS;
use slurm_core::roles::INTERNAL;

use super::core::{Ended, Identity};
use super::process::GATE;
use crate::backend::script::AGAIN;

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

    /// Returns a variable of the environment that it was started with.
    pub(super) fn variable(self, name: &str) -> Option<String> {
        let value = variable(&environment(self.pid)?, name)?.to_vec();
        String::from_utf8(value).ok()
    }

    /// Whether it has a handler for a signal.
    pub(super) fn handles(self, signal: Signal) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let handled = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        let handled = handled.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        handled.is_some_and(|mask| mask >> (signal.as_raw() - 1) & 1 == 1)
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

/// A snapshot of the processes of this machine that belong to runs of jobs.
#[derive(Debug, Default)]
pub(super) struct Processes {
    /// By the marks of the run, which are in the environment of all its processes.
    runs: HashMap<PathBuf, Vec<Member>>,
}

/// A process of a run.
#[derive(Clone, Copy, Debug)]
struct Member {
    identity: Identity,
    rank: Option<u32>,
    /// Whether it is the shell that runs the script, or the runner that took its place.
    is_leader: bool,
}

impl Processes {
    pub(super) fn now() -> Self {
        let mut processes = Self::default();
        let Ok(entries) = fs::read_dir("/proc") else { return processes };
        for entry in entries.flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            let Some((pid, stat)) = pid.and_then(|pid| Some((pid, stat(pid)?))) else { continue };
            if let Some((marks, member)) = member(pid, &stat) {
                processes.runs.entry(marks).or_default().push(member);
            }
        }
        processes
    }

    /// Returns the processes of the run with these marks that the supervisor has started, with their ranks.
    pub(super) fn of(&self, marks: &Path) -> impl Iterator<Item = (u32, Identity)> {
        let members = self.runs.get(marks).into_iter().flatten();
        members.filter(|member| member.is_leader).map(|member| {
            let rank = member.rank.unwrap_or(u32::MAX);
            (rank, member.identity)
        })
    }

    /// Returns how often the job whose marks are in `dir` was requeued before its latest run that has processes.
    pub(super) fn latest_run(&self, dir: &Path, id: JobId) -> Option<u32> {
        let of_job = |marks: &&PathBuf| marks.parent() == Some(dir);
        let restarts = |marks: &PathBuf| {
            let (job, restarts) = marks.file_name()?.to_str()?.split_once('.')?;
            (job == id.to_string()).then(|| restarts.parse().ok())?
        };
        self.runs.keys().filter(of_job).filter_map(restarts).max()
    }
}

/// Ends all that is left of processes that have ended: those that they have started, also in other groups and
/// sessions.
pub(super) fn end_what_is_left(runs: &HashMap<PathBuf, Ended>) {
    /// A process that starts others as fast as they are ended is given up after as many looks.
    const LOOKS: u32 = 100;
    for _ in 0..LOOKS {
        let now = Processes::now();
        let left = now.runs.iter().flat_map(|(marks, members)| {
            let ended = runs.get(marks);
            members.iter().filter(move |member| match ended {
                None => false,
                Some(Ended::All) => true,
                Some(Ended::Ranks(ranks)) => member.rank.is_some_and(|rank| ranks.contains(&rank)),
            })
        });
        let left: Vec<&Member> = left.filter(|member| member.identity.is_alive()).collect();
        if left.is_empty() {
            return;
        }
        left.iter().for_each(|member| member.identity.kill());
        // One that was forked meanwhile was not in the snapshot.
        thread::sleep(Duration::from_millis(2));
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

/// Returns the marks of the run that a process belongs to, if it does.
fn member(pid: u32, stat: &Stat) -> Option<(PathBuf, Member)> {
    let of_kernel = stat.group == 0;
    let environment = (!of_kernel).then(|| environment(pid))??;
    let marks = PathBuf::from(OsStr::from_bytes(variable(&environment, RUN_MARKS)?));
    let words = command_line(pid)?;
    let words: Vec<&[u8]> = words.split(|byte| *byte == 0).collect();
    let job = marks.parent()?.parent()?;
    let of_job = |path: &Path| path.parent() == Some(job);
    let leads = stat.group == pid && script_or_spec(&words).is_some_and(of_job);
    let rank =
        variable(&environment, "SLURM_PROCID").and_then(|rank| std::str::from_utf8(rank).ok());
    let rank = rank.and_then(|rank| rank.parse().ok());
    let identity = Identity { pid, start: stat.start };
    Some((marks, Member { identity, rank, is_leader: leads }))
}

/// Returns the environment that a process was started with.
fn environment(pid: u32) -> Option<Vec<u8>> {
    /// A program that is being loaded has neither words nor variables for a moment.
    const LOADS: u32 = 50;
    for _ in 0..LOADS {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        if !environment.is_empty() || command_line(pid).is_none_or(|words| !words.is_empty()) {
            return Some(environment);
        }
        if stat(pid).is_none_or(|stat| "ZXx".contains(stat.state)) {
            return None;
        }
        thread::sleep(Duration::from_millis(1));
    }
    None
}

fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut variables = environment.split(|byte| *byte == 0);
    variables.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

fn command_line(pid: u32) -> Option<Vec<u8>> {
    let mut line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    line.pop_if(|byte| *byte == 0);
    Some(line)
}

/// Returns the path in the command line of a process that identifies its job.
fn script_or_spec<'a>(words: &[&'a [u8]]) -> Option<&'a Path> {
    let path = match *words {
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
    Some(Path::new(OsStr::from_bytes(path)))
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
        let marks = dir.path().join(".run/7.0");
        fs::write(&script, "read line; exit\n").unwrap();
        let spawn = |program: &str, arguments: &[&str]| {
            let mut command = std::process::Command::new(program);
            command.args(arguments).arg(&script).process_group(0).env(RUN_MARKS, &marks);
            command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
            command.env("SLURM_PROCID", "3").spawn().unwrap()
        };
        let mut reader = spawn("tail", &["-f"]);
        let mut job = spawn("/bin/sh", &[]);
        let found = Processes::now();
        let leaders: Vec<(u32, u32)> =
            found.of(&marks).map(|(rank, process)| (rank, process.pid)).collect();
        assert_eq!(leaders, [(3, job.id())]);
        let id = |id: u32| JobId::new(id).unwrap();
        let latest = |of: u32| found.latest_run(&dir.path().join(".run"), id(of));
        assert_eq!((latest(7), latest(8)), (Some(0), None));
        end_what_is_left(&HashMap::from([(marks.clone(), Ended::Ranks(vec![2]))]));
        assert!(reader.try_wait().unwrap().is_none(), "it belongs to another rank");
        end_what_is_left(&HashMap::from([(marks, Ended::All)]));
        for child in [&mut reader, &mut job] {
            assert!(!child.wait().unwrap().success());
        }
    }
}
