//! Directories with files, made by a script.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::shell::{Script, printf_format, utf8};
use crate::error::HostError;
use crate::files::{Content, NewDir, NewFile};

/// Text and small files go with the script; a process for each of them would cost more than their bytes.
const WITH_SCRIPT: usize = 32 << 10;

/// Adds a command that creates the file `target`, a word of shell, if nothing has that name.
pub(super) fn add_bytes(script: &mut Script, target: &str, bytes: &[u8]) {
    if bytes.len() <= WITH_SCRIPT {
        script.add("printf ").word(&printf_format(bytes)).add(format!(" >{target}"));
    } else {
        // A connection that is cut in the middle ends the input, and that is no error of `head`.
        let length = bytes.len();
        script
            .add(format!("head -c {length} >{target} && [ \"$(wc -c <{target})\" -eq {length} ]"));
        script.payload(bytes);
    }
}

/// A file of a directory that is to be created.
#[derive(Clone, Debug)]
pub(super) enum Piece<'a> {
    Bytes(&'a [u8]),
    /// It lies on the host already, and is to be moved.
    There(PathBuf),
    Dir,
}

/// A [`NewFile`] whose content is where it can be had.
#[derive(Clone, Debug)]
pub(super) struct Ready<'a> {
    pub(super) name: &'a str,
    pub(super) piece: Piece<'a>,
    pub(super) mode: Option<u32>,
    pub(super) synced: bool,
}

impl<'a> Ready<'a> {
    pub(super) fn new(file: &NewFile<'a>) -> Option<Self> {
        let piece = match file.content {
            Content::Bytes(bytes) => Piece::Bytes(bytes),
            Content::Dir => Piece::Dir,
            Content::Spooled(_) => return None,
        };
        Some(Self { name: file.name, piece, mode: file.mode, synced: file.synced })
    }

    pub(super) fn there(file: &NewFile<'a>, path: PathBuf) -> Self {
        let piece = Piece::There(path);
        Self { name: file.name, piece, mode: file.mode, synced: file.synced }
    }

    /// How many bytes have to be sent for it.
    pub(super) fn size(&self) -> usize {
        match &self.piece {
            Piece::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }

    /// Whether its bytes do not go with the script.
    pub(super) fn is_payload(&self) -> bool {
        self.size() > WITH_SCRIPT
    }
}

/// What is done to the files of several directories in one go, as each program takes its time to start:
/// for every directory by its number, as words of shell.
#[derive(Debug, Default)]
pub(super) struct Later {
    pub(super) modes: BTreeMap<u32, Vec<(usize, String)>>,
    pub(super) synced: Vec<(usize, String)>,
}

/// Adds commands that go to a job base directory and down from it, as the functions of `folder.rs` do: through
/// directories of the user's own that not everybody may write to, and never through a link. What
/// is then done with names alone, is done there.
pub(super) fn add_way(script: &mut Script, base: &Path, down: &[&str]) -> Result<(), HostError> {
    script.add("[ -d ").path(base)?.add(" ] || mkdir -p -- ").path(base)?;
    script.add(" </dev/null || exit 11\ncd -P -- ").path(base)?.add(" || exit 6\n");
    add_check(script, base);
    let mut path = base.to_owned();
    for name in down {
        path.push(name);
        script.add("[ -d ./").word(name).add(" ] || mkdir -- ./").word(name);
        script
            .add(" </dev/null || [ -d ./")
            .word(name)
            .add(" ] || exit 11\nh ")
            .word(name)
            .add("\n");
        add_check(script, &path);
    }
    Ok(())
}

/// Each directory is looked at once in the life of a shell.
fn add_check(script: &mut Script, path: &Path) {
    script.add("case $C in *").word(&checked(path)).add("*) ;; *) g;; esac\n");
}

/// Adds that the directories on a way are known to be safe.
pub(super) fn add_checked(script: &mut Script, base: &Path, down: &[&str]) {
    let mut path = base.to_owned();
    script.add("C=$C").word(&checked(&path));
    for name in down {
        path.push(name);
        script.word(&checked(&path));
    }
}

fn checked(path: &Path) -> String {
    format!("|{}|", path.display())
}

/// The names on the way to a directory, and its own.
fn way<'a>(dir: &NewDir<'a>) -> Result<(Vec<&'a str>, &'a str), HostError> {
    utf8(dir.below)?;
    let mut down: Vec<&str> = dir.below.iter().filter_map(|name| name.to_str()).collect();
    let none = || HostError::file("create", dir.base, io::Error::other("it is the base itself"));
    let name = down.pop().ok_or_else(none)?;
    Ok((down, name))
}

/// Says which of the permissions that the umask leaves a directory with `mode` takes from its files.
pub(super) fn narrower(mode: u32) -> String {
    let bits = [("g", 0o040, 0o020, 0o010), ("o", 0o004, 0o002, 0o001)];
    let clauses = bits.iter().filter_map(|(who, read, write, enter)| {
        let mut lacking = String::new();
        for (bit, letter) in [(read, 'r'), (write, 'w'), (enter, 'x')] {
            if mode & bit == 0 {
                lacking.push(letter);
            }
        }
        (!lacking.is_empty()).then(|| format!("{who}-{lacking}"))
    });
    clauses.collect::<Vec<_>>().join(",")
}

fn mode_flag(new: &NewDir<'_>) -> String {
    new.mode.map_or_else(String::new, |mode| format!("-m {mode:o} "))
}

/// Adds a command that makes the directories themselves, if all of them lie in the same one, and returns
/// whether they do; its status is in `G`, and what went wrong in `E`.
pub(super) fn add_empty(script: &mut Script, all: &[&NewDir<'_>]) -> Result<bool, HostError> {
    let Some((first, rest)) = all.split_first() else { return Ok(false) };
    let parent = |new: &NewDir<'_>| new.base.join(new.below).parent().map(Path::to_owned);
    let beside = |new: &&NewDir<'_>| parent(new) == parent(first) && new.mode == first.mode;
    if rest.is_empty() || !rest.iter().all(beside) {
        return Ok(false);
    }
    let (down, _) = way(first)?;
    script.add("E=$( (LC_ALL=C; export LC_ALL\n");
    add_way(script, first.base, &down)?;
    let mut names = Script::new();
    for new in all {
        names.add(" ./").word(way(new)?.1);
    }
    script.add(format!("mkdir {}--{} </dev/null || exit 12", mode_flag(first), names.text()));
    script.add(") 2>&1 ); G=$?\n");
    script.add("if [ $G = 0 ]; then ");
    add_checked(script, first.base, &down);
    script.add("; fi\n");
    Ok(true)
}

/// Which attempt to create a directory it is.
#[derive(Debug)]
pub(super) enum Attempt<'a> {
    /// The first, of the directory with this number; the directory itself may be `made` already.
    First { number: usize, later: &'a mut Later, made: bool },
    /// Another may still be under way. What it has made is taken over, once a `claim` of this name shows
    /// that nobody else will submit it.
    Again { claim: &'a str },
}

/// Adds a command that creates a directory with `files`; its status is in `s`, and tells the step that failed.
///
/// It removes nothing that another attempt may be about to use: what is left behind after a failure is for
/// whoever hears of it, and knows that there was no other attempt.
pub(super) fn add_directory(
    script: &mut Script,
    new: &NewDir<'_>,
    files: &[Ready<'_>],
    attempt: Attempt<'_>,
) -> Result<(), HostError> {
    let claim = match attempt {
        Attempt::First { .. } => None,
        Attempt::Again { claim } => Some(claim),
    };
    let made = matches!(attempt, Attempt::First { made: true, .. });
    let dir = &new.base.join(new.below);
    let (down, leaf) = way(new)?;
    script.add("d=").path(dir)?.add("\n(LC_ALL=C; export LC_ALL\n");
    add_way(script, new.base, &down)?;
    if let Some(clauses) = new.mode.map(narrower).filter(|clauses| !clauses.is_empty()) {
        script.add("umask ").word(&clauses).add("; u=$(umask)\n");
    } else {
        script.add("u=$U\n");
    }
    script.add("e=").word(leaf).add("\n");
    if made {
        script.add("if [ $G != 0 ]; then printf '%s' \"$E\"; [ $G -le 12 ] || G=12; exit $G; fi\n");
    } else {
        // Not -p: a directory that exists already is somebody else's submission.
        let again = claim.map_or("", |_| "[ -d \"./$e\" ] || ");
        let mode = mode_flag(new);
        script.add(format!("{again}mkdir {mode}-- \"./$e\" </dev/null || {again}exit 12\n"));
    }
    script.add("h \"$e\"\n[ -O . ] || exit 4\nd=.\n");
    // Beside it first, in a second attempt: the job may run already and read the file itself.
    let suffix = claim.map(|_| format!(".{:016x}", fastrand::u64(..)));
    let target = |name: &str| format!("{name}{}", suffix.as_deref().unwrap_or_default());
    let mut modes = Vec::new();
    let mut synced = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let is_dir = matches!(file.piece, Piece::Dir);
        let name = if is_dir { file.name.to_owned() } else { target(file.name) };
        let mut at = Script::new();
        at.add("\"$d\"/").word(&name);
        let at = at.text().to_owned();
        match &file.piece {
            Piece::Bytes(bytes) => {
                if file.mode.is_some() {
                    script.add("umask 077; ");
                }
                add_bytes(script, &at, bytes);
                if file.mode.is_some() {
                    script
                        .add(format!("; s=$?; umask \"$u\"; [ $s = 0 ] || exit {}\n", 20 + index));
                } else {
                    script.add(format!(" || exit {}\n", 20 + index));
                }
            }
            Piece::There(path) if claim.is_none() => {
                script.add("mv -- ").path(path)?;
                script.add(format!(" {at} </dev/null || exit {}\n", 20 + index));
            }
            // Its bytes were synced when they came; it is moved once it is sure that nobody else does.
            Piece::There(_) => continue,
            Piece::Dir => {
                let is_there = format!("[ -d {at} ]");
                script.add(format!("{is_there} || mkdir -- {at} </dev/null || {is_there} || "));
                script.add(format!("exit {}\n", 20 + index));
                continue;
            }
        }
        if let Some(mode) = file.mode {
            modes.push((mode, name.clone()));
        }
        if file.synced {
            synced.push(name);
        }
    }
    let absolute = |name: &str| format!("{}/{}", dir.display(), name);
    let words = |path: &str| Script::new().word(path).text().to_owned();
    if let Attempt::First { number, later, .. } = attempt {
        for (mode, name) in modes {
            later.modes.entry(mode).or_default().push((number, words(&absolute(&name))));
        }
        later.synced.extend(synced.iter().map(|name| (number, words(&absolute(name)))));
        if !synced.is_empty() {
            later.synced.push((number, words(utf8(dir)?)));
        }
    } else {
        for (mode, name) in modes {
            script.add(format!("chmod {mode:o} \"$d\"/")).word(&name);
            script.add(" </dev/null || exit 13\n");
        }
        if !synced.is_empty() {
            script.add("sync \"$d\"");
            for name in &synced {
                script.add(" \"$d\"/").word(name);
            }
            script.add(" </dev/null || exit 14\n");
        }
    }
    if let Some(claim) = claim {
        // Before anything that the job may read is touched.
        script.add("printf '' >\"$d\"/").word(claim).add(" 2>/dev/null || exit 10\n");
        for file in files {
            match &file.piece {
                Piece::Dir => {}
                // The other attempt may move it at this moment.
                Piece::There(path) => {
                    script.add("[ ! -e ").path(path)?.add(" ] || mv -f -- ").path(path)?;
                    script.add(" \"$d\"/").word(file.name).add(" </dev/null\n[ -e \"$d\"/");
                    script.word(file.name).add(" ] || exit 15\n");
                }
                Piece::Bytes(_) => {
                    script.add("mv -f -- \"$d\"/").word(&target(file.name)).add(" \"$d\"/");
                    script.word(file.name).add(" </dev/null || exit 15\n");
                }
            }
        }
    }
    script.add(") 2>&1; s=$?\nif [ $s = 0 ]; then ");
    add_checked(script, new.base, &down);
    script.add("; fi\n");
    if let Some(suffix) = suffix {
        script.add("if [ $s = 10 ] || [ $s -gt 12 ]; then rm -f -- \"$d\"/*");
        script.add(suffix).add(" </dev/null; fi\n");
    }
    Ok(())
}

/// What a step of [`add_directory`] was about.
pub(super) fn blame(dir: &Path, files: &[Ready<'_>], step: usize) -> (&'static str, PathBuf) {
    match step {
        11 => ("create", dir.parent().unwrap_or(dir).to_owned()),
        20.. if step - 20 < files.len() => ("write", dir.join(files[step - 20].name)),
        12 => ("create", dir.to_owned()),
        6 => ("use", dir.parent().unwrap_or(dir).to_owned()),
        _ => ("write", dir.to_owned()),
    }
}
