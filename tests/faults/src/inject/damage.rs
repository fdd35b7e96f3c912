//! Files that are truncated, or get a wrong bit.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Target, job_name};
use crate::plan::{Cut, Damage};

/// Changes one of the present files of a kind.
pub(super) fn damage(base: &Path, what: Damage, pick: usize, cut: Cut) -> Option<Target> {
    let mut files = Vec::new();
    collect(base, what, &mut files);
    files.sort();
    let path = files.get(pick.checked_rem(files.len())?)?.clone();
    let element = match what {
        Damage::Segment => path.file_name()?.to_str()?.parse().ok(),
        Damage::Spec | Damage::Result => None,
    };
    let dir = match what {
        Damage::Segment => path.parent()?.parent()?,
        Damage::Spec | Damage::Result => path.parent()?,
    };
    let job = job_name(dir)?;
    change(&path, cut).ok()?;
    Some(Target::File { job, what, element, cut, path })
}

fn collect(dir: &Path, what: Damage, files: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            collect(&path, what, files);
        } else if match what {
            Damage::Spec => name == "spec",
            Damage::Result => name == "result",
            Damage::Segment => dir.ends_with("results"),
        } {
            files.push(path);
        }
    }
}

fn change(path: &Path, cut: Cut) -> io::Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    let len = file.metadata()?.len();
    if len == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    match cut {
        Cut::Truncate(thousandths) => file.set_len(len * u64::from(thousandths) / 1000),
        Cut::Flip(thousandths) => {
            let place = len * u64::from(thousandths) / 1000;
            let mut byte = [0];
            file.read_exact_at(&mut byte, place)?;
            file.write_all_at(&[byte[0] ^ 4], place)
        }
    }
}

/// Removes up to two lines from the end of the supervisor's journal, or flips a bit in it.
pub(super) fn cut_journal(local: &Path, cut: Cut) -> Option<Target> {
    let hosts = fs::read_dir(local).into_iter().flatten().flatten();
    let path = hosts.map(|host| host.path().join("journal.jsonl")).next()?;
    let text = fs::read(&path).ok()?;
    match cut {
        Cut::Truncate(thousandths) => {
            let mut ends = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
            let start = ends.nth(2).map_or(0, |(place, _)| place + 1);
            let left = start + (text.len() - start) * usize::from(thousandths) / 1000;
            fs::write(&path, &text[..left]).ok()?;
        }
        Cut::Flip(_) => change(&path, cut).ok()?,
    }
    let (jobs, ended) = lost(&text, &fs::read(&path).ok()?);
    Some(Target::Journal { jobs, ended })
}

/// Returns the names of the jobs that lost lines of the journal, and the names of the jobs among them that had
/// ended.
fn lost(before: &[u8], after: &[u8]) -> (Vec<String>, Vec<String>) {
    let lines = |text: &[u8]| -> Vec<Vec<u8>> {
        text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
    };
    let after = lines(after);
    let entry = |line: &Vec<u8>| -> Option<(String, u64, serde_json::Value)> {
        // The first element of a line is its checksum.
        let [_, value]: [serde_json::Value; 2] = serde_json::from_slice(line).ok()?;
        let (kind, value) = value.as_object()?.iter().next()?;
        Some((kind.clone(), value["id"].as_u64()?, value.clone()))
    };
    let before = lines(before);
    let entries: Vec<_> = before.iter().filter_map(entry).collect();
    let name = |id: u64| {
        let own = |(kind, first, value): &&(String, u64, serde_json::Value)| {
            let size = value["request"]["array"]["size"].as_u64().unwrap_or(1);
            kind.starts_with("Submitted") && (*first..first + size).contains(&id)
        };
        let (_, _, value) = entries.iter().find(own)?;
        job_name(Path::new(value["request"]["dir"].as_str()?))
    };
    let mut jobs = Vec::new();
    let mut ended = Vec::new();
    let gone = before.iter().filter(|line| !after.contains(line)).filter_map(entry);
    for (_, id, _) in gone {
        let Some(name) = name(id) else { continue };
        if entries.iter().any(|(kind, of, _)| kind.starts_with("Ended") && *of == id) {
            ended.push(name.clone());
        }
        jobs.push(name);
    }
    (jobs, ended)
}
