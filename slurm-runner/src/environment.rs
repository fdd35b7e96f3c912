//! Facts about the machine and the job's environment.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use slurm_core::context::{JobContext, StopFlag};
use slurm_core::ids::JobId;
use slurm_core::layout::{JobDir, RUN_MARKS, RunMark};
use slurm_core::outcome::RunReport;
use slurm_core::spec::Spec;

/// Returns microseconds since the Unix epoch.
pub(crate) fn now_micros() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// Returns the context that the task uses to ask about its job.
pub(crate) fn context(spec: &Spec, dir: JobDir, stop: StopFlag) -> JobContext {
    JobContext::from_environment(variable, dir, stop).with_submission(spec.submission_id.clone())
}

/// Whether the job has several processes; set once, before anything else.
static SEVERAL: AtomicBool = AtomicBool::new(false);

/// Sets whether the job has several processes.
pub(crate) fn set_several(several: bool) {
    SEVERAL.store(several, Ordering::Relaxed);
}

/// Returns whether the job has several processes.
pub(crate) fn is_one_of_several() -> bool {
    SEVERAL.load(Ordering::Relaxed)
}

/// Returns a variable of Slurm, corrected for the number of processes that were started. A job with one process
/// may have an allocation for more tasks.
pub(crate) fn variable(name: &str) -> Option<String> {
    if !is_one_of_several() {
        match name {
            "SLURM_NTASKS"
            | "SLURM_NPROCS"
            | "SLURM_TASKS_PER_NODE"
            | "SLURM_STEP_TASKS_PER_NODE" => {
                return Some("1".to_owned());
            }
            "SLURM_PROCID" | "SLURM_LOCALID" => return Some("0".to_owned()),
            _ => {}
        }
    }
    std::env::var(name).ok()
}

/// Returns a number from a variable of Slurm; see [`variable`].
pub(crate) fn number(name: &str) -> Option<u32> {
    variable(name)?.parse().ok()
}

/// Returns the number of tasks in the allocation, if it is more than the one process of this job.
pub(crate) fn idle_tasks() -> Option<u32> {
    let tasks = std::env::var("SLURM_NTASKS").ok()?.parse().ok()?;
    (!is_one_of_several() && tasks > 1).then_some(tasks)
}

/// Returns the report of a run that has just begun.
pub(crate) fn report(started_at: u64) -> RunReport {
    let host = host();
    RunReport {
        node: std::env::var("SLURMD_NODENAME").unwrap_or_else(|_| host.clone()),
        host,
        pid: std::process::id(),
        rank: number("SLURM_PROCID").unwrap_or(0),
        restart_count: number("SLURM_RESTART_COUNT").unwrap_or(0),
        started_at,
        ..RunReport::default()
    }
}

/// Returns the array and the index of the element that this job is, if it is one.
pub(crate) fn element() -> Option<(JobId, u32)> {
    let array = number("SLURM_ARRAY_JOB_ID").and_then(JobId::new);
    array.zip(number("SLURM_ARRAY_TASK_ID"))
}

/// Returns the diary that this process writes to.
pub(crate) fn diary(dir: &JobDir) -> PathBuf {
    let node = number("SLURM_NODEID").filter(|_| is_one_of_several());
    dir.events_of(element(), node.unwrap_or(0))
}

/// Returns the host name of this node.
pub(crate) fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Leaves a mark for the embedded supervisor, if it asks for marks: the task is about to be called.
pub(crate) fn mark_entered() {
    if let Some(marks) = marks() {
        become_mark(RunMark::Entered, &marks);
    }
}

/// Leaves a mark for the embedded supervisor, if it asks for marks: this process ends with `code`. If the
/// supervisor dies before this process ends, the next supervisor cannot get the exit code in another way.
pub(crate) fn mark_end(code: u8) {
    if let Some((marks, rank)) = marks().zip(number("SLURM_PROCID")) {
        become_mark(RunMark::Ended { rank, code }, &marks);
    }
}

fn marks() -> Option<PathBuf> {
    std::env::var_os(RUN_MARKS).map(PathBuf::from)
}

/// Renames an earlier mark, which the new one implies. A new name needs no space, so this also works on a full
/// disk.
fn become_mark(mark: RunMark, marks: &Path) {
    let path = mark.path(marks);
    let earlier = [RunMark::Entered, RunMark::Begun];
    if earlier.iter().any(|earlier| fs::rename(earlier.path(marks), &path).is_ok()) {
        return;
    }
    // Another process of the job has renamed the earlier marks. A write error is ignored: a running supervisor
    // needs no mark.
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let _ = options.open(path);
}

/// Returns the peak resident set size of this process in KiB, or 0 if it is not known.
pub(crate) fn peak_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("");
    line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
}

/// Returns the file behind one of this process's descriptors, if it is a file.
pub(crate) fn file_behind(descriptor: u8) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{descriptor}")).ok().filter(|path| path.is_absolute())
}
