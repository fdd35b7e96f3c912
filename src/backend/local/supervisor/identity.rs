//! Which process is which, across supervisors.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;

use crate::init::INTERNAL;

/// A process, told from a later one that was given the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) pid: u32,
    /// Clock ticks since the machine booted.
    start: u64,
}

/// What `/proc/PID/stat` tells of a process, in the words of proc_pid_stat(5).
pub(super) struct Stat {
    state: char,
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
        let environment = fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default();
        let wanted = format!("SLURM_JOB_ID={id}");
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    }

    /// Whether it still runs. One that has ended and that nobody has waited for does not.
    pub(super) fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.start == self.start && !"ZXx".contains(stat.state))
    }
}

/// Returns the processes that run the script of a job: the shell, or the runner that took its place.
///
/// They are known by their whole command line, and lead their groups as every process of a job does.
pub(super) fn find(script: &Path) -> Vec<Identity> {
    let spec = script.with_file_name("spec");
    let (script, spec) = (bytes(script), bytes(&spec));
    let runs_it = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = line.strip_suffix(&[0]).unwrap_or(&line);
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        match words[..] {
            [shell, path] => shell == b"/bin/sh" && path == script,
            // The runner of an array is told more.
            [_, internal, verb, path, ..] => {
                internal == INTERNAL.as_bytes() && verb == b"run" && path == spec
            }
            _ => false,
        }
    };
    let leads = |pid: &u32| stat(*pid).is_some_and(|stat| stat.group == *pid);
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(runs_it).filter(leads).filter_map(Identity::of).collect()
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
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
        let found: Vec<u32> = find(&script).iter().map(|process| process.pid).collect();
        for child in [&mut reader, &mut job] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        assert_eq!(found, [job.id()]);
    }
}
