//! Large files go up in pieces.
//!
//! Each piece says where it belongs, so pieces may follow each other without waiting and be sent again after
//! a lost connection. The file is put in its place when all of it is there and its hash is right.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use slurm_core::layout::binary_folder;
use slurm_core::outcome::EXITED;

use super::binary::Needs;
use super::directory::add_way;
use super::failure::verdict;
use super::host::{Asked, SshHost, send};
use super::link::Link;
use super::meter::Meter;
use super::shell::Script;

use crate::binary::Binary;
use crate::error::HostError;
use crate::files::{Content, NewDir, NewFile};
use crate::staged::retire::{EXITED_WITHIN, KEPT, SILENT, UNUSED};
use crate::staged::{ELSEWHERE, HASH_DIGITS, folder_of, slim};

/// A multiple of the megabyte in which `dd` counts.
const PIECE: usize = 4 << 20;

/// So many pieces are under way at once.
const UNDER_WAY: usize = 3;

/// How often a connection may be lost on the way.
const ATTEMPTS: u32 = 10;

const PATIENCE: Duration = Duration::from_secs(120);

/// Whether `$p` may be run as the user's own program.
const IS_PROGRAM: &str = r#"[ -f "$p" ] && ! [ -L "$p" ] && [ -O "$p" ] && [ -x "$p" ]"#;

/// Where a file goes.
#[derive(Clone, Copy, Debug)]
struct Target<'a> {
    base: &'a Path,
    /// The folder below `base` in which it arrives, under some other name.
    folder: &'a str,
    name: &'a str,
    /// Where the upload's end brings it, if it does.
    place: Option<&'a Path>,
}

pub(super) fn staging_path(binary: &Binary, job_base_dir: &Path) -> Result<PathBuf, HostError> {
    Ok(staged_as(binary, job_base_dir, &read(binary)?))
}

fn read(binary: &Binary) -> Result<Vec<u8>, HostError> {
    std::fs::read(&binary.path).map_err(|error| HostError::file("read", &binary.path, error))
}

fn staged_as(binary: &Binary, job_base_dir: &Path, program: &[u8]) -> PathBuf {
    binary_folder(job_base_dir, &folder_of(program)).join(&binary.name)
}

impl SshHost {
    pub(super) fn stage_there(
        &self,
        binary: &Binary,
        job_base_dir: &Path,
    ) -> Result<PathBuf, HostError> {
        let program = read(binary)?;
        let staged = staged_as(binary, job_base_dir, &program);
        let needs = Needs::of(&program);
        let mut script = Script::new();
        add_mark(&mut script, &staged)?;
        if let Some(loader) = &needs.loader {
            script.add("[ ! -e ").word(loader).add(" ] || t l\n");
        }
        let answer = self.ask("check the binary", &script)?;
        let says = |kind| answer.parts().iter().any(|part| part.kind == kind);
        // Check the fit for every program or for none, whether or not it was already there.
        if self.uploads.check {
            needs.check(&binary.path, self.settings.host(), self.facts(), says(b'l'))?;
        }
        if says(b'y') {
            return Ok(staged);
        }
        let program = slim(&program).unwrap_or(program);
        let meter = self.meter(program.len() as u64, &binary.name);
        let folder = staged.parent().and_then(Path::file_name).unwrap_or_default();
        let folder = folder.to_string_lossy();
        let (base, name) = (job_base_dir, &*binary.name);
        let target = Target { base, folder: ".bin", name, place: Some(&staged) };
        self.put(&mut &*program, &target, meter.as_deref(), |script| {
            script.add("chmod 555 \"$p\" || exit 13\nsync \"$p\" || exit 14\n");
            add_way(script, job_base_dir, &[".bin", &folder])?;
            script.add("mv -f -- \"$p\" ./").word(&binary.name).add(" || exit 15\n");
            retire(script, job_base_dir)
        })?;
        drop(meter);
        Ok(staged)
    }

    /// Marks a program as used, and returns whether it is there.
    pub(super) fn mark_there(&self, staged: &Path) -> Result<bool, HostError> {
        let mut script = Script::new();
        add_mark(&mut script, staged)?;
        let answer = self.ask("check the binary", &script)?;
        Ok(answer.parts().iter().any(|part| part.kind == b'y'))
    }

    /// Brings a spooled file to the host, beside the directory that it will be moved into.
    pub(super) fn upload(
        &self,
        file: &NewFile<'_>,
        dir: &NewDir<'_>,
    ) -> Result<PathBuf, HostError> {
        let Content::Spooled(spooled) = file.content else { return Ok(dir.base.join(file.name)) };
        let reading = |error| HostError::file("read", spooled, error);
        let mut source = File::open(spooled).map_err(reading)?;
        let size = source.metadata().map_err(reading)?.len();
        let meter = self.meter(size, file.name);
        let target = Target { base: dir.base, folder: ".spool", name: file.name, place: None };
        let part = self.put(&mut source, &target, meter.as_deref(), |script| {
            script.add("sync \"$p\"");
            Ok(())
        })?;
        drop(meter);
        // It is used up, and would only take space.
        let _ = std::fs::remove_file(spooled);
        Ok(part)
    }

    /// Returns the meter for an upload of `size` bytes, if the upload is large enough and progress is shown.
    fn meter(&self, size: u64, name: &str) -> Option<Box<dyn Meter>> {
        let new = self.uploads.meter.filter(|_| size >= PIECE as u64 / 4)?;
        Some(new(&format!("{name} to {}", self.settings.host()), size))
    }

    /// Creates a file in a folder below `base` with some other name and, once its hash is right, does what
    /// `finish` adds to the script, in which it is `$p`. Returns where it was created.
    fn put(
        &self,
        source: &mut dyn Read,
        target: &Target<'_>,
        meter: Option<&dyn Meter>,
        finish: impl Fn(&mut Script) -> Result<(), HostError>,
    ) -> Result<PathBuf, HostError> {
        let Target { base, folder, name, place } = *target;
        let name = format!(".{name}.{:016x}.part", fastrand::u64(..));
        let part = &base.join(folder).join(&name);
        let mut script = Script::new();
        script.add("t w; (LC_ALL=C; export LC_ALL\n");
        add_way(&mut script, base, &[folder])?;
        // What was left behind by uploads that never ended.
        script.add("find . -maxdepth 1 -name '.*.part' -mtime +1 -delete\n");
        script.add("umask 077; printf '' >| ./").word(&name);
        script.add(") 2>&1 </dev/null; t \"s$?\"");
        let answer = self.ask("begin to upload", &script)?;
        verdict(&answer.parts(), |_| ("write", part.to_owned()))?;

        let (hash, resent) = self.pieces(source, part, meter)?;

        let mut script = Script::new();
        script.add("t w; p=").path(part)?;
        script.add("; (LC_ALL=C; export LC_ALL; ");
        if resent {
            // The first writer of a piece may still wait for the rest of it on a connection that the host takes for
            // alive. A program that is open for writing cannot be run, so a file of its own takes its place.
            script.add("umask 077; c=${p%.part}.copy.part; ");
            script.add(
                "cp -- \"$p\" \"$c\" && mv -f -- \"$c\" \"$p\" || { rm -f -- \"$c\"; exit 2; }; ",
            );
        }
        script.add("h=$(sha256sum <\"$p\") || exit 2; case $h in ");
        script.word(&hash).add("*) ;; *) exit 9;; esac\n");
        finish(&mut script)?;
        script.add(") 2>&1 </dev/null; s=$?; if [ $s != 0 ]; then rm -f -- \"$p\" </dev/null\n");
        if let Some(place) = place {
            // The answer to the same request may have been lost, and this is its second time.
            script.add("p=").path(place)?.add(format!("; if {IS_PROGRAM}; then "));
            script.add("case $(sha256sum <\"$p\") in ").word(&hash).add("*) s=0;; esac; fi\n");
        }
        script.add("fi; t \"s$s\"");
        script.quiet(Duration::from_secs(600));
        let answer = self.ask("end the upload", &script)?;
        let parts = answer.parts();
        if parts.iter().any(|part| part.kind == b's' && part.name == "9") {
            return Err(HostError::file(
                "write",
                part,
                std::io::Error::other(
                    "the SHA-256 of the uploaded file differs from the original's",
                ),
            ));
        }
        verdict(&parts, |_| ("write", part.to_owned()))?;
        Ok(part.clone())
    }

    /// Sends all pieces and returns the SHA-256 of the whole, and whether pieces were sent again.
    fn pieces(
        &self,
        source: &mut dyn Read,
        part: &Path,
        meter: Option<&dyn Meter>,
    ) -> Result<(String, bool), HostError> {
        let mut hasher = Sha256::new();
        // The first that is there on the host; whether it is here as well shows when it is tried.
        let there = |tool: &&&str| self.facts().tools.iter().any(|known| known == **tool);
        let mut tool =
            ["zstd", "gzip"].iter().find(there).copied().filter(|_| self.uploads.compress);
        let mut buffer = Vec::with_capacity(PIECE);
        let mut offset = 0;
        let mut under_way: VecDeque<Piece> = VecDeque::new();
        let mut link = self.link(PATIENCE)?;
        let mut losses = 0;
        let mut at_end = false;
        while !at_end || !under_way.is_empty() {
            while !at_end && under_way.len() < UNDER_WAY {
                buffer.clear();
                let read = (&mut *source).take(PIECE as u64).read_to_end(&mut buffer);
                read.map_err(|error| HostError::file("read", part, error))?;
                if buffer.is_empty() {
                    at_end = true;
                    break;
                }
                hasher.update(&buffer);
                let script = piece(part, &buffer, offset, &mut tool)?;
                let asked = send(&link, "upload a piece", &script);
                let size = buffer.len() as u64;
                under_way.push_back(Piece {
                    script,
                    size,
                    asked: Some((asked, Arc::clone(&link))),
                });
                offset += size;
            }
            let Some(mut first) = under_way.pop_front() else { continue };
            let (asked, over) = match first.asked.take() {
                Some(asked) => asked,
                None => (send(&link, "upload a piece", &first.script), Arc::clone(&link)),
            };
            match asked.wait(&over) {
                Ok(answer) => {
                    verdict(&answer.parts(), |_| ("write", part.to_owned()))?;
                    if let Some(meter) = meter {
                        meter.advance(first.size);
                    }
                }
                Err(lost) => {
                    // With a connection, all pieces are lost that were under way.
                    losses += u32::from(Arc::ptr_eq(&over, &link));
                    if losses > ATTEMPTS {
                        return Err(self.lost(&lost.reason));
                    }
                    log::warn!("will send a piece again: {}", lost.reason);
                    link = self.link(PATIENCE)?;
                    under_way.push_front(first);
                }
            }
        }
        Ok((hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect(), losses > 0))
    }
}

/// Marks a program as used, and then prints whether it is there. In this order, no other process removes it in
/// between.
fn add_mark(script: &mut Script, staged: &Path) -> Result<(), HostError> {
    script.add("p=").path(staged)?.add(format!(
        "\n[ ! -d \"${{p%/*}}\" ] || touch -c -- \"${{p%/*}}\" 2>/dev/null </dev/null\n\
         if {IS_PROGRAM} && [ -s \"$p\" ]; then t y; fi\n"
    ));
    Ok(())
}

/// Removes programs that no job can need any more, as on this machine, and without anybody waiting for it. Nothing
/// is removed if some submission cannot be looked at.
fn retire(script: &mut Script, job_base_dir: &Path) -> Result<(), HostError> {
    let hash = "[0-9a-f]".repeat(HASH_DIGITS);
    let text = include_str!("retire.sh")
        .replace("@HASH@", &hash)
        .replace("@FIRST@", &(KEPT + 1).to_string())
        // What `find` calls more than so many days.
        .replace("@UNUSED@", &(UNUSED - 1).to_string())
        .replace("@SILENT@", &SILENT.to_string())
        .replace("@ELSEWHERE@", ELSEWHERE)
        .replace("@EXITED@", EXITED)
        .replace("@WITHIN@", &EXITED_WITHIN.to_string());
    script.add("B=").path(job_base_dir)?.add("\n").add(text);
    Ok(())
}

/// A piece that was sent, and may have to be sent again.
struct Piece {
    script: Script,
    size: u64,
    asked: Option<(Asked, Arc<Link>)>,
}

/// Writes one piece to its place. Pieces that do not become smaller go as they are, and so do the next ones.
fn piece(
    part: &Path,
    bytes: &[u8],
    offset: u64,
    tool: &mut Option<&'static str>,
) -> Result<Script, HostError> {
    let packed = tool.and_then(|tool| Some((pack(bytes, tool)?, format!("| {tool} -dc "))));
    if packed.is_none() {
        *tool = None;
    }
    let at = offset >> 20;
    let mut script = Script::new();
    let (count, unpack) = match &packed {
        Some((packed, unpack)) => (packed.len(), unpack.as_str()),
        None => (bytes.len(), ""),
    };
    script.add(format!("t w; head -c {count} {unpack}| LC_ALL=C dd of=")).path(part)?;
    script.add(format!(
        " bs=1048576 seek={at} conv=notrunc iflag=fullblock 2>&1 >/dev/null; s=$?; t \"s$s\""
    ));
    // What is left of the piece would be taken for the next request.
    script.add("; if [ $s != 0 ]; then t .; exit; fi");
    script.payload(packed.as_ref().map_or(bytes, |(packed, _)| packed.as_slice())).bulk();
    Ok(script)
}

/// Compresses, fast; `None` if that does not help, or cannot be done here.
///
/// By a program, because a library would be slow in a program that is built for debugging.
fn pack(bytes: &[u8], tool: &str) -> Option<Vec<u8>> {
    let mut command = Command::new(tool);
    command.args(["-1", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let (mut stdin, mut stdout) = (child.stdin.take()?, child.stdout.take()?);
    let mut packed = Vec::with_capacity(bytes.len() / 2);
    let (wrote, read) = thread::scope(|scope| {
        // Moved, so that it is closed at the end.
        let wrote = scope.spawn(move || stdin.write_all(bytes));
        let read = stdout.read_to_end(&mut packed);
        (wrote.join().map(|wrote| wrote.is_ok()), read)
    });
    let ended = child.wait().is_ok_and(|status| status.success());
    let whole = ended && read.is_ok() && wrote.unwrap_or(false);
    (whole && packed.len() < bytes.len() / 10 * 9).then_some(packed)
}
