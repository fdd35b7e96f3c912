//! No panic of a client or a runner, no client that ends in another way than it should, and no file that is left
//! behind.

use std::fs;
use std::path::{Path, PathBuf};

use super::Evidence;
use crate::inject::Target;
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
    let killed = evidence.was_hit(|hit| {
        matches!(
            hit,
            Target::Client(_) | Target::Runner { .. } | Target::Supervisor | Target::Disk { .. }
        )
    });
    // A job whose lines are lost belongs to no call.
    let journal = evidence.was_hit(|hit| matches!(hit, Target::Journal));
    for path in &files {
        // A killed process cannot clean up.
        if !killed && path.extension().is_some_and(|end| end == "tmp") {
            violations.push(format!("{} is left", path.display()));
        }
        if path.parent().is_some_and(|dir| dir.ends_with("environments"))
            && !plan.suite.is_slurm()
            && !journal
        {
            violations.push(format!("{} is left, though its job has ended", path.display()));
        }
    }
    violations
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
            format!("{} tells of a panic: {line} {next}", path.display())
        })
        .collect()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
