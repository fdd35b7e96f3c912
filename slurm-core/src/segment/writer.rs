//! Writing a segment: one record at a time, each by one write.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::{HEADER, RecordKind, Records, check_header, header, push_record};
use crate::codec;
use crate::durable;
use crate::outcome::{Failure, RunReport};

/// The items that earlier runs of an element have finished.
#[derive(Debug, Default)]
pub struct Done {
    /// The items.
    pub items: HashSet<u64>,
    /// Whether any of them failed.
    pub any_failed: bool,
}

/// The segment of an element, open at its end.
#[derive(Debug)]
pub struct SegmentWriter {
    file: File,
    length: u64,
    buffer: Vec<u8>,
}

impl SegmentWriter {
    /// Opens the segment at `path` of an element with `items` items. Returns it with the indices of the items that it
    /// has already.
    /// A torn record at its end is cut off, and the beginning of the run is noted.
    ///
    /// # Errors
    /// If it cannot be read or written, or belongs to another task.
    pub fn open(
        path: &Path,
        signature: u64,
        items: u32,
        run: &RunReport,
    ) -> io::Result<(Self, Done)> {
        let bytes = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        let mut done = Done::default();
        let whole = if check_header(&bytes, signature).map_err(io::Error::other)? {
            let mut records = Records::new(&bytes, HEADER);
            for record in &mut records {
                if matches!(record.kind, RecordKind::Value | RecordKind::Failure) {
                    done.items.insert(record.index);
                    done.any_failed |= record.kind == RecordKind::Failure;
                }
            }
            records.position()
        } else {
            0
        };
        let file = durable::append_to(path)?;
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        let buffer = if whole == 0 { header(signature, items) } else { Vec::new() };
        let mut writer = Self { file, length: whole as u64, buffer };
        let report = codec::encode(run).map_err(io::Error::other)?;
        writer.append(RecordKind::RunBegins, 0, &report)?;
        Ok((writer, done))
    }

    /// Appends the value or the failure of the item `index`, by one write.
    ///
    /// # Errors
    /// If it cannot be written. Earlier records stay whole.
    pub fn item(&mut self, index: u64, ending: Result<&[u8], &Failure>) -> io::Result<()> {
        match ending {
            Ok(value) => self.append(RecordKind::Value, index, value),
            Err(failure) => {
                let failure = codec::encode(failure).map_err(io::Error::other)?;
                self.append(RecordKind::Failure, index, &failure)
            }
        }
    }

    /// Notes that the item `index` has panicked, before [`item`](Self::item) has the whole failure.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn panicked(&mut self, index: u64, failure: &Failure) -> io::Result<()> {
        let failure = codec::encode(failure).map_err(io::Error::other)?;
        self.append(RecordKind::Panic, index, &failure)
    }

    /// Notes the end of the run and puts everything on the disk.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn end(&mut self, run: &RunReport) -> io::Result<()> {
        let report = codec::encode(run).map_err(io::Error::other)?;
        self.append(RecordKind::RunEnds, 0, &report)?;
        self.sync()
    }

    /// Puts everything on the disk.
    ///
    /// # Errors
    /// If that fails.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn append(&mut self, kind: RecordKind, index: u64, payload: &[u8]) -> io::Result<()> {
        push_record(&mut self.buffer, kind, index, payload);
        let written = self.file.write_all(&self.buffer);
        match &written {
            Ok(()) => self.length += self.buffer.len() as u64,
            // A full disk may have taken a part of it, after which no other record would be found.
            Err(_) => drop(self.file.set_len(self.length)),
        }
        self.buffer.clear();
        written
    }
}
