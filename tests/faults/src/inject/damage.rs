//! Files that lose their end, or get a bit wrong.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Target, job_name};
use crate::plan::{Cut, Damage};

/// Changes one of the files of a kind that are there.
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

/// Takes up to two lines from the end of the supervisor's journal, or damages one anywhere; returns whether there
/// was one.
pub(super) fn cut_journal(local: &Path, cut: Cut) -> bool {
    let hosts = fs::read_dir(local).into_iter().flatten().flatten();
    let Some(path) = hosts.map(|host| host.path().join("journal.jsonl")).next() else {
        return false;
    };
    let Ok(text) = fs::read(&path) else { return false };
    match cut {
        Cut::Truncate(thousandths) => {
            let mut ends = text.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n');
            let start = ends.nth(2).map_or(0, |(place, _)| place + 1);
            let left = start + (text.len() - start) * usize::from(thousandths) / 1000;
            fs::write(&path, &text[..left]).is_ok()
        }
        Cut::Flip(_) => change(&path, cut).is_ok(),
    }
}
