//! Checks that no client and no runner panicked, that every client succeeded or was killed, and that no
//! temporary file is left.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::Evidence;
use super::reach::Case;
use crate::inject::{Target, job_name};
use crate::ledger::What;
use crate::plan::Plan;

pub(super) fn wrong(plan: &Plan, evidence: &Evidence) -> Vec<String> {
    let mut violations = Vec::new();
    for client in &evidence.ended {
        let fine = client.was_killed() || client.status.is_none_or(|status| status.success());
        if !fine {
            violations.push(format!("{} ended with {:?}", client.name, client.status));
        }
    }
    let files = files(&evidence.dir);
    violations.extend(files.iter().flat_map(|path| panics(path)));
    let killed = killed(evidence);
    let ended = ended_by_others(plan, evidence);
    for path in &files {
        // A killed process cannot remove its temporary files, whose names have its process id.
        let writer = writer(path);
        if path.extension().is_some_and(|end| end == "tmp")
            && !writer.is_some_and(|pid| killed.contains(&pid))
            && !path.parent().and_then(job_name).is_some_and(|name| ended.contains(&name))
        {
            violations.push(format!("{} is left", path.display()));
        }
        if path.parent().is_some_and(|dir| dir.ends_with("environments")) && !plan.suite.is_slurm()
        {
            violations.push(format!("{} is left, though its job has ended", path.display()));
        }
    }
    violations
}

/// Returns the processes that may have ended at any point: the killed ones, and the processes of calls that
/// noted no end.
fn killed(evidence: &Evidence) -> BTreeSet<u32> {
    let hit = evidence.hits.iter().filter_map(|hit| match &hit.what {
        Target::Client { pid, .. }
        | Target::Runner { pid, .. }
        | Target::Supervisor { pid }
        | Target::Shell { pid } => Some(*pid),
        _ => None,
    });
    let lines = || evidence.ledger.values().flatten();
    let ended: BTreeSet<u32> =
        lines().filter(|line| line.what != What::Began).map(|line| line.pid).collect();
    let open = lines().map(|line| line.pid).filter(|pid| !ended.contains(pid));
    hit.chain(open).collect()
}

/// Returns the jobs whose processes may have ended at any point: by a cancellation, or because another process
/// of the job failed.
fn ended_by_others(plan: &Plan, evidence: &Evidence) -> BTreeSet<String> {
    let jobs = plan.units.iter().flat_map(|unit| {
        let cancelled = evidence.cancelled_at(unit).is_some();
        let calls = unit.work.calls().into_iter().filter(move |call| cancelled || call.ranks > 1);
        calls.map(move |call| Case { plan, evidence, unit, call, at: u64::MAX }.job())
    });
    jobs.collect()
}

/// Returns the id of the process that wrote the file `.NAME.PID.RANDOM.tmp`.
fn writer(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.rsplit('.').nth(2)?.parse().ok()
}

/// Returns the panics in a file, without the planned ones.
fn panics(path: &Path) -> Vec<String> {
    let name = path.to_string_lossy();
    let is_log = name.ends_with(".err") || name.ends_with(".log") || name.contains("/stderr/");
    if !is_log {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let found = lines.iter().enumerate().filter(|(_, line)| line.contains("panicked at"));
    found
        .filter(|(place, _)| {
            !lines[*place..].iter().take(2).any(|line| line.contains("panics as planned"))
        })
        .map(|(place, line)| {
            let next = lines.get(place + 1).unwrap_or(&"");
            format!("{} reports a panic: {line} {next}", path.display())
        })
        .collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
