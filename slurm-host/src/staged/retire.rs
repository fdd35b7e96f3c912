//! Removes programs that no job can need any more.
//!
//! A program stays if it was used within a day, or is among the few that were used last; every submission marks its
//! program as used beforehand. A program also stays while a submission that names it is open: the submission's
//! directory has no result (or one of a process that exited, after which Slurm may run the job again), and some file
//! in it has changed within a month. Submissions are looked for in the job base directory, and in the directories of
//! workflows elsewhere that a note beside the program names. So a job that waits for days finds its
//! program, and a job that never ends does not keep its program indefinitely.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use slurm_core::outcome::EXITED;

use super::{ELSEWHERE, HASH_DIGITS, is_hash};

/// How many of the programs that were used last stay in any case.
pub(crate) const KEPT: usize = 5;

/// How many days a program stays after its last use.
pub(crate) const UNUSED: u64 = 1;

/// For how many days the directory of a submission without a result has to be untouched to count as given up.
pub(crate) const SILENT: u64 = 30;

/// The result of a process that exited has its words among the first so many bytes.
pub(crate) const EXITED_WITHIN: u64 = 4096;

/// The name of a folder while it is removed.
const GOING: &str = ".going-";

/// Removes unneeded programs below a job base directory. Programs stay if a directory cannot be read.
pub(super) fn in_dir(job_base_dir: &Path, now: SystemTime) {
    let bin = job_base_dir.join(".bin");
    match retire(job_base_dir, &bin, now) {
        Ok(removed) if removed.is_empty() => {}
        Ok(removed) => {
            log::debug!("{}: removed {removed:?}, which no job needs", bin.display());
            forget(&bin, &removed);
        }
        Err(error) => log::debug!("{}: nothing is removed: {error}", bin.display()),
    }
}

fn retire(job_base_dir: &Path, bin: &Path, now: SystemTime) -> io::Result<BTreeSet<String>> {
    let mut programs = Vec::new();
    for entry in fs::read_dir(bin)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let used = entry.metadata()?.modified()?;
        if is_hash(&name) {
            programs.push((used, name));
        } else if name.starts_with('.') && is_over(used, now, UNUSED) {
            // A removal that was interrupted.
            let _ = fs::remove_file(entry.path()).or_else(|_| fs::remove_dir_all(entry.path()));
        }
    }
    programs.sort_unstable();
    programs.truncate(programs.len().saturating_sub(KEPT));
    programs.retain(|(used, _)| is_over(*used, now, UNUSED));
    let mut unused: BTreeSet<String> = programs.into_iter().map(|(_, name)| name).collect();
    if !unused.is_empty() {
        let elsewhere = unused.iter().map(|name| noted_beside(&bin.join(name)));
        let elsewhere = elsewhere.collect::<io::Result<Vec<_>>>()?.concat();
        keep_needed(job_base_dir, now, &mut unused)?;
        for dir in elsewhere {
            keep_needed(&dir, now, &mut unused)?;
        }
    }
    unused.retain(|name| remove(bin, name, now).unwrap_or(false));
    Ok(unused)
}

fn is_over(since: SystemTime, now: SystemTime, days: u64) -> bool {
    now.duration_since(since).is_ok_and(|age| age > Duration::from_secs(days * 24 * 3600))
}

/// Returns the directories elsewhere whose jobs may need the program in `folder`.
fn noted_beside(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut dirs = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(ELSEWHERE.as_bytes()) {
            dirs.push(PathBuf::from(OsString::from_vec(fs::read(entry.path())?)));
        }
    }
    Ok(dirs)
}

/// Takes the programs out that a submission below `dir` needs, including submissions of workflows.
fn keep_needed(dir: &Path, now: SystemTime, unused: &mut BTreeSet<String>) -> io::Result<()> {
    for task in directories(dir)? {
        for submission in directories(&task)? {
            let script = submission.join("script.sh");
            if script.exists() && !has_ended(&submission, now)? {
                let needed = named_in(&script)?;
                unused.retain(|name| !needed.contains(name));
            }
            let children = submission.join("tasks");
            if children.is_dir() {
                keep_needed(&children, now, unused)?;
            }
        }
    }
    Ok(())
}

/// The directories in `dir` that do not belong to the library. A directory that is gone by now counts as empty.
fn directories(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !is_hidden && entry.file_type()?.is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Returns whether a submission needs its program no more.
fn has_ended(submission: &Path, now: SystemTime) -> io::Result<bool> {
    if has_result(&submission.join("result"))? {
        return Ok(true);
    }
    let is_recent = |entry: io::Result<DirEntry>| -> io::Result<bool> {
        Ok(!is_over(entry?.metadata()?.modified()?, now, SILENT))
    };
    for entry in fs::read_dir(submission)? {
        if is_recent(entry)? {
            return Ok(false);
        }
    }
    Ok(is_over(fs::metadata(submission)?.modified()?, now, SILENT))
}

/// Returns whether there is a result after which the job cannot run again.
fn has_result(path: &Path) -> io::Result<bool> {
    let file = match fs::File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file?,
    };
    let mut start = Vec::new();
    file.take(EXITED_WITHIN).read_to_end(&mut start)?;
    Ok(memchr::memmem::find(&start, EXITED.as_bytes()).is_none())
}

/// The programs that a script runs.
fn named_in(script: &Path) -> io::Result<BTreeSet<String>> {
    const FOLDER: &[u8] = b"/.bin/";
    let mut text = Vec::new();
    fs::File::open(script)?.take(1 << 20).read_to_end(&mut text)?;
    let hashes = (0..text.len()).filter(|&at| text[at..].starts_with(FOLDER)).filter_map(|at| {
        let start = at + FOLDER.len();
        let name = std::str::from_utf8(text.get(start..start + HASH_DIGITS)?).ok()?;
        is_hash(name).then(|| name.to_owned())
    });
    Ok(hashes.collect())
}

/// Removes a program, unless it was marked as used meanwhile. The mark is checked again after the folder was renamed,
/// when no submission can find it any more.
fn remove(bin: &Path, name: &str, now: SystemTime) -> io::Result<bool> {
    let going = bin.join(format!("{GOING}{name}-{}", std::process::id()));
    fs::rename(bin.join(name), &going)?;
    if !is_over(fs::metadata(&going)?.modified()?, now, UNUSED) {
        // If the program was staged again already, this copy is superfluous.
        if fs::rename(&going, bin.join(name)).is_ok() {
            return Ok(false);
        }
    }
    fs::remove_dir_all(&going)?;
    Ok(true)
}

/// Removes the notes about programs that are no longer staged.
fn forget(bin: &Path, removed: &BTreeSet<String>) {
    let Ok(index) = fs::read_dir(bin.join("index")) else { return };
    for entry in index.flatten() {
        let names_one = fs::read_to_string(entry.path())
            .is_ok_and(|text| text.split(' ').next().is_some_and(|name| removed.contains(name)));
        if names_one {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use slurm_core::outcome::{Ending, Failure, FailureKind, Outcome, RunReport};

    use super::super::staged_for;
    use super::*;

    const DAY: u64 = 24 * 3600;

    /// A job base directory with programs that were used this many days ago. Each is named by its days.
    fn base(days: &[u64]) -> (tempfile::TempDir, SystemTime) {
        let base = tempfile::tempdir().unwrap();
        let now = SystemTime::now();
        for day in days {
            let folder = base.path().join(".bin").join(hash(*day));
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("program"), "x").unwrap();
            age(&folder, now, *day);
        }
        (base, now)
    }

    fn hash(day: u64) -> String {
        format!("{day:032x}")
    }

    fn age(path: &Path, now: SystemTime, days: u64) {
        let then = now - Duration::from_secs(days * DAY);
        fs::File::open(path).unwrap().set_modified(then).unwrap();
    }

    /// A submission with one of the programs that was last touched this many days ago.
    fn submission(dir: &Path, now: SystemTime, program: u64, touched: u64) {
        fs::create_dir_all(dir).unwrap();
        let text = format!("#!/bin/sh\nexec /base/.bin/{}/program run\n", hash(program));
        fs::write(dir.join("script.sh"), text).unwrap();
        age(&dir.join("script.sh"), now, touched);
        age(dir, now, touched);
    }

    fn left(base: &Path) -> Vec<u64> {
        let names = fs::read_dir(base.join(".bin")).unwrap().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let mut days: Vec<u64> =
            names.filter_map(|name| u64::from_str_radix(&name, 16).ok()).collect();
        days.sort_unstable();
        days
    }

    #[test]
    fn those_that_were_used_last_stay_and_others_go() {
        let (base, now) = base(&[0, 2, 3, 4, 5, 6, 7, 400]);
        in_dir(base.path(), now);
        assert_eq!(left(base.path()), [0, 2, 3, 4, 5]);
    }

    #[test]
    fn one_that_was_used_today_stays_whatever_their_number() {
        let (base, now) = base(&[]);
        for program in 0..9 {
            let folder = base.path().join(".bin").join(hash(program));
            fs::create_dir_all(folder).unwrap();
        }
        in_dir(base.path(), now);
        assert_eq!(left(base.path()).len(), 9);
    }

    #[test]
    fn a_job_that_has_waited_for_weeks_keeps_its_program() {
        let (base, now) = base(&[0, 2, 3, 4, 5, 21, 22, 23, 24, 25, 26, 40]);
        submission(&base.path().join("add/waits"), now, 21, 21);
        submission(&base.path().join("add/has_ended"), now, 22, 22);
        fs::write(base.path().join("add/has_ended/result"), "").unwrap();
        submission(&base.path().join("flow/workflow"), now, 23, 23);
        fs::write(base.path().join("flow/workflow/result"), "").unwrap();
        let child = base.path().join("flow/workflow/tasks/output/child");
        submission(&child, now, 24, 24);
        submission(&base.path().join("add/given_up"), now, 40, 40);
        // It exited when it was preempted, and waits to be run again.
        submission(&base.path().join("add/preempted"), now, 25, 25);
        let failure = Failure::new(FailureKind::Exited, EXITED);
        let ending = Ending::Failure(Box::new(failure));
        let exited = Outcome { ending, run: RunReport::default() }.to_bytes("app::add", 7).unwrap();
        fs::write(base.path().join("add/preempted/result"), exited).unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        submission(&elsewhere.path().join("add/child_of_in_process"), now, 26, 26);
        let program = base.path().join(".bin").join(hash(26)).join("program");
        let note = staged_for(&program, elsewhere.path());
        fs::write(note, elsewhere.path().as_os_str().as_encoded_bytes()).unwrap();
        age(program.parent().unwrap(), now, 26);
        in_dir(base.path(), now);
        assert_eq!(left(base.path()), [0, 2, 3, 4, 5, 21, 24, 25, 26]);
    }

    #[test]
    fn a_job_that_still_writes_keeps_its_program() {
        let (base, now) = base(&[0, 2, 3, 4, 5, 90]);
        submission(&base.path().join("add/runs"), now, 90, 90);
        fs::write(base.path().join("add/runs/slurm-1.out"), "step 1").unwrap();
        age(&base.path().join("add/runs"), now, 90);
        in_dir(base.path(), now);
        assert_eq!(left(base.path()), [0, 2, 3, 4, 5, 90]);
    }

    #[test]
    fn one_that_is_used_meanwhile_comes_back() {
        let (base, now) = base(&[40]);
        let bin = base.path().join(".bin");
        age(&bin.join(hash(40)), now, 0);
        assert!(!remove(&bin, &hash(40), now).unwrap());
        assert_eq!(left(base.path()), [40]);
        age(&bin.join(hash(40)), now, 40);
        assert!(remove(&bin, &hash(40), now).unwrap());
        assert_eq!(fs::read_dir(&bin).unwrap().count(), 0);
    }

    #[test]
    fn what_was_begun_long_ago_is_swept_out() {
        let (base, now) = base(&[0]);
        let begun = base.path().join(".bin/.program.1.x.tmp");
        fs::write(&begun, "half").unwrap();
        in_dir(base.path(), now);
        assert!(begun.exists());
        age(&begun, now, 2);
        in_dir(base.path(), now);
        assert!(!begun.exists());
    }
}
