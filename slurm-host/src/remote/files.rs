//! Reading and writing.

use std::path::{Path, PathBuf};

use super::directory::add_bytes;
use super::failure::{of_error, verdict};
use super::host::SshHost;
use super::shell::{Script, utf8};
use crate::error::HostError;
use crate::files::{Found, Look};

impl SshHost {
    pub(super) fn read_file(&self, path: &Path, offset: u64) -> Result<Option<Vec<u8>>, HostError> {
        let mut script = Script::new();
        script.add(format!("f 0 {} ", offset.saturating_add(1))).path(path)?;
        self.one_file("read", &script, path)
    }

    pub(super) fn read_last(&self, path: &Path, length: u64) -> Result<Option<Vec<u8>>, HostError> {
        let mut script = Script::new();
        script.add(format!("l 0 {length} ")).path(path)?;
        self.one_file("read", &script, path)
    }

    fn one_file(
        &self,
        what: &str,
        script: &Script,
        path: &Path,
    ) -> Result<Option<Vec<u8>>, HostError> {
        let answer = self.ask(what, script)?;
        let mut content = None;
        for part in answer.parts() {
            match part.kind {
                b'y' => content = Some(part.content.to_vec()),
                _ => content = of_error("read", path, part.content)?.then(Vec::new),
            }
        }
        Ok(content)
    }

    pub(super) fn look_at(
        &self,
        looks: &[Look],
        most: u64,
    ) -> Result<Vec<Result<Found, HostError>>, HostError> {
        let mut script = Script::new();
        let texts: Vec<&str> =
            looks.iter().map(|look| utf8(look.path())).collect::<Result<_, _>>()?;
        // Said once: it is most of what has to be sent for a thousand jobs.
        let common = common_folder(&texts);
        script.add("P=").word(common).add("\n");
        let most = most.min(i64::MAX as u64);
        for (index, (look, text)) in looks.iter().zip(&texts).enumerate() {
            let rest = &text[common.len()..];
            match look {
                // What grows was small when it was looked at before, and that costs a process.
                Look::File { offset: 0, .. } => {
                    script.add(format!("s {most} {index} 1 \"$P\""));
                    add_fresh(&mut script, rest);
                }
                Look::File { offset, .. } => {
                    script.add(format!("f {index} {} \"$P\"", offset.saturating_add(1)));
                    add_fresh(&mut script, rest);
                }
                Look::Dir { .. } => {
                    script.add(format!("n {index} \"$P\"")).word(rest);
                }
            }
            script.add("\n");
        }
        let answer = self.ask("look", &script)?;
        let mut found: Vec<Result<Found, HostError>> =
            looks.iter().map(|_| Ok(Found::Nothing)).collect();
        for part in answer.parts() {
            let Some(index) = part.name.parse::<usize>().ok().filter(|at| *at < looks.len()) else {
                continue;
            };
            found[index] = match part.kind {
                b'y' => Ok(Found::Bytes(part.content.to_vec())),
                b'g' => Ok(Found::Large),
                b'n' => Ok(Found::Names(names(part.content))),
                _ => of_error("read", looks[index].path(), part.content).map(|_| Found::Nothing),
            };
        }
        Ok(found)
    }

    pub(super) fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<(), HostError> {
        let mut place = Script::new();
        place.add("mv -f -- \"$d\" ").path(path)?;
        self.write_and(path, bytes, &place)
    }

    /// Writes a file unless it is there, also if the request has to be sent twice.
    pub(super) fn write_first_file(&self, path: &Path, bytes: &[u8]) -> Result<(), HostError> {
        let mut place = Script::new();
        // Some file systems have no links; the shell creates files only (`set -C`).
        place.add("{ ln -- \"$d\" ").path(path)?.add(" || [ -e ").path(path)?;
        place
            .add(" ] || cat -- \"$d\" >")
            .path(path)?
            .add("; } 2>/dev/null </dev/null; rm -f -- \"$d\"");
        self.write_and(path, bytes, &place)
    }

    /// Writes a temporary file beside `path`, and puts it there by the commands `place`, in which it is `$d`.
    fn write_and(&self, path: &Path, bytes: &[u8], place: &Script) -> Result<(), HostError> {
        let temporary = slurm_core::durable::temporary_beside(path);
        let mut script = Script::new();
        script
            .add("t w\nd=")
            .path(&temporary)?
            .add("\n(LC_ALL=C; export LC_ALL\nv=$(stat -Lc %A -- ");
        // No wider than the directory that it lies in.
        script.path(path.parent().unwrap_or(path))?.add(" </dev/null)\n");
        script.add("case $v in ????---*) umask g-rwx;; ?????-*) umask g-w;; esac\n");
        script.add("case $v in ???????---*) umask o-rwx;; ????????-*) umask o-w;; esac\n");
        add_bytes(&mut script, "\"$d\"", bytes);
        script.add(" || exit 1; sync \"$d\" && ").add(place.text()).add(") 2>&1; s=$?\n");
        end_script(&mut script, "rm -f -- \"$d\" </dev/null");
        let answer = self.ask("write", &script)?;
        verdict(&answer.parts(), |_| ("write", path.to_owned()))
    }

    pub(super) fn remove(&self, dir: &Path) -> Result<(), HostError> {
        let mut script = Script::new();
        script.add("t w; LC_ALL=C rm -rf -- ").path(dir)?.add(" 2>&1 </dev/null; t \"s$?\"");
        let answer = self.ask("remove", &script)?;
        verdict(&answer.parts(), |_| ("remove", dir.to_owned()))
    }

    pub(super) fn local_spool_dir(&self) -> Result<PathBuf, HostError> {
        let dir = self.spool.get_or_try_init(|| {
            use std::os::unix::fs::DirBuilderExt;
            let name = format!("slurm-sdk-{:016x}", fastrand::u64(..));
            let dir = std::env::temp_dir().join(name);
            let made = std::fs::DirBuilder::new().mode(0o700).create(&dir);
            made.map(|()| dir.clone()).map_err(|error| HostError::file("create", &dir, error))
        })?;
        Ok(dir.clone())
    }
}

impl Drop for SshHost {
    fn drop(&mut self) {
        if let Some(spool) = self.spool.get() {
            let _ = std::fs::remove_dir_all(spool);
        }
    }
}

/// Ends a script whose status is in `s`. After a failure, bytes may be left on its standard input, so
/// that shell is not used any more.
fn end_script(script: &mut Script, cleanup: &str) {
    script.add("t \"s$s\"\n");
    let leave = if script.has_payload() { "t .; exit" } else { ":" };
    script.add("if [ \"$s\" != 0 ]; then ").add(cleanup).add("; ").add(leave).add("; fi");
}

/// The longest folder that all paths lie in, with its slash.
fn common_folder<'a>(paths: &[&'a str]) -> &'a str {
    let Some((first, rest)) = paths.split_first() else { return "" };
    let mut common = first.rfind('/').map_or("", |at| &first[..=at]);
    for path in rest {
        while !path.starts_with(common) {
            let shorter = common.trim_end_matches('/');
            common = shorter.rfind('/').map_or("", |at| &shorter[..=at]);
        }
    }
    common
}

/// Adds a path as a glob that matches only this path, so that the shell re-reads the directory. A stat alone may be
/// served from the attribute cache of NFS.
fn add_fresh(script: &mut Script, path: &str) {
    match path.char_indices().next_back() {
        Some((at, last)) if last.is_ascii_alphanumeric() => {
            script.word(&path[..at]).add(format!("[{last}]"));
        }
        _ => {
            script.word(path);
        }
    }
}

fn names(bytes: &[u8]) -> Vec<String> {
    let names = bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    names.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect()
}
