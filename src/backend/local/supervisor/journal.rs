//! The journal, by which the next supervisor knows the jobs: a line for each event, appended at once.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use slurm_core::durable;

use super::core::Entry;
use super::line;

/// How much may be appended before the journal is worth rewriting, in bytes.
const GROWTH: u64 = 4 << 20;

/// The journal, open at its end.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    /// The length of the whole lines, in bytes.
    length: u64,
    rewritten_length: u64,
    /// A part of a line follows the whole ones.
    torn: bool,
}

impl Journal {
    /// Writes a journal of these entries in place of the one at `path`, and opens it at its end.
    pub(super) fn write(path: &Path, entries: &[Entry]) -> io::Result<Self> {
        let lines = lines(entries)?;
        durable::replace(path, &lines)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        let file = OpenOptions::new().append(true).mode(0o600).open(path)?;
        let length = lines.len() as u64;
        Ok(Self { path: path.to_owned(), file, length, rewritten_length: length, torn: false })
    }

    /// Appends a line by one write.
    pub(super) fn append(&mut self, entry: &Entry) -> io::Result<()> {
        let mut line = if self.torn { vec![b'\n'] } else { Vec::new() };
        line.extend(line::write(entry)?);
        match self.file.write_all(&line) {
            Ok(()) => {
                self.length += line.len() as u64;
                self.torn = false;
                Ok(())
            }
            Err(error) => {
                // A line that was not acknowledged is removed, or at least spoils no later line.
                self.torn = self.file.set_len(self.length).is_err();
                Err(error)
            }
        }
    }

    /// Appends to this file from now on, and returns the one before.
    #[cfg(test)]
    pub(super) fn append_to(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    /// Whether the journal is long enough to be rewritten.
    pub(super) fn has_grown(&self) -> bool {
        self.length > self.rewritten_length.saturating_add(GROWTH)
    }

    /// Replaces the journal by these entries.
    pub(super) fn rewrite(&mut self, entries: &[Entry]) -> io::Result<()> {
        // Also if it fails: not again for every job.
        self.rewritten_length = self.length;
        *self = Self::write(&self.path, entries)?;
        Ok(())
    }
}

/// Reads the entries of the journal at `path`, and tells how many lines cannot be read.
///
/// A line that is damaged is left out, for what one disk error or one full disk did to it must not take all other
/// jobs with it.
pub(super) fn read(path: &Path) -> io::Result<(Vec<Entry>, usize)> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok((Vec::new(), 0)),
        bytes => Ok(parse(&bytes?)),
    }
}

/// Returns the entries of a journal, and the number of unreadable lines.
pub(super) fn parse(bytes: &[u8]) -> (Vec<Entry>, usize) {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (entries, bad): (Vec<_>, Vec<_>) =
        lines.map(line::read::<Entry>).partition(Option::is_some);
    (entries.into_iter().flatten().collect(), bad.len())
}

/// Returns the lines that tell these entries.
pub(super) fn lines(entries: &[Entry]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for entry in entries {
        lines.extend(line::write(entry)?);
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use slurm_core::ids::JobId;

    use super::*;

    fn warned(number: u32) -> Entry {
        Entry::Warned { id: JobId::new(number).unwrap(), at: 5 }
    }

    fn ids(path: &Path) -> Vec<u32> {
        read(path).unwrap().0.iter().map(|entry| entry.id().get()).collect()
    }

    #[test]
    fn a_journal_that_has_grown_becomes_small() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::write(&path, &[]).unwrap();
        while !journal.has_grown() {
            journal.append(&warned(1)).unwrap();
        }
        journal.rewrite(&[warned(1)]).unwrap();
        journal.append(&warned(2)).unwrap();
        assert!(!journal.has_grown() && fs::metadata(&path).unwrap().len() < 200);
        assert_eq!(ids(&path), [1, 2]);
    }

    #[test]
    fn an_append_that_failed_spoils_no_later_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut journal = Journal::write(&path, &[]).unwrap();
        journal.append(&warned(1)).unwrap();
        let full = OpenOptions::new().append(true).open("/dev/full").unwrap();
        let file = journal.append_to(full);
        assert!(journal.append(&warned(2)).is_err() && journal.torn);
        journal.append_to(file);
        journal.file.write_all(b"{\"Submitted\":{").unwrap();
        journal.append(&warned(3)).unwrap();
        assert_eq!(ids(&path), [1, 3]);
        assert_eq!(read(&path).unwrap().1, 1, "the line that was torn");
    }
}
