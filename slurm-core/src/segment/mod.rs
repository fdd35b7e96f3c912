//! Result segments: the items that one element of an array has finished, in order.
//!
//! ```text
//! offset  size  field
//!      0     8  magic, "SLURMSEG"
//!      8     2  format version, little endian, as all numbers here
//!     10     6  zero
//!     16     8  signature hash of the task
//!     24     …  records: 24 bytes and a payload
//!
//! a record:
//!      0     4  length of the payload, bytes
//!      4     4  kind: 1 a run begins, 2 value, 3 failure, 4 a run ends, 5 a panic
//!      8     8  index of the item
//!     16     8  checksum: BLAKE3 over the 16 bytes before and the payload, cut to 64 bits
//!     24     …  the payload: a RunReport, an encoded value, a Failure, a RunReport, a Failure
//! ```
//!
//! Each record is appended by one write when its item is finished, so a process that is killed leaves
//! whole records and at most one torn record, which the next run of the element cuts off.

mod writer;

use std::ops::Range;

use crate::frame::{FORMAT_VERSION, MAX_PAYLOAD};
#[cfg(doc)]
use crate::outcome::{Failure, RunReport};

pub use writer::{Done, SegmentWriter};

const MAGIC: [u8; 8] = *b"SLURMSEG";
/// The length of the header before the first record, in bytes.
pub const HEADER: usize = 24;
const RECORD: usize = 24;

/// The kind of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// A process begins to work on the element: a [`RunReport`] without an end.
    RunBegins,
    /// The encoded return value of an item.
    Value,
    /// The [`Failure`] of an item.
    Failure,
    /// The process has finished the element: its whole [`RunReport`].
    RunEnds,
    /// The [`Failure`] of an item that panicked, without its stack; the whole one follows if there is memory to
    /// look at that.
    Panic,
}

impl RecordKind {
    const ALL: [(u32, Self); 5] = [
        (1, Self::RunBegins),
        (2, Self::Value),
        (3, Self::Failure),
        (4, Self::RunEnds),
        (5, Self::Panic),
    ];

    fn code(self) -> u32 {
        Self::ALL.iter().find(|(_, kind)| *kind == self).map_or(0, |(code, _)| *code)
    }

    fn of(code: u32) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == code).map(|(_, kind)| *kind)
    }
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its kind.
    pub kind: RecordKind,
    /// The index of the item, 0 for a run.
    pub index: u64,
    /// Where the payload lies in the bytes that were read.
    pub payload: Range<usize>,
}

/// Why bytes are not a segment of the task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SegmentError {
    /// They do not begin with the magic.
    #[error("not a segment: it does not begin with SLURMSEG")]
    NotASegment,
    /// Another version of slurm-sdk wrote them.
    #[error("written in format version {found}; this program reads version {FORMAT_VERSION}")]
    Version {
        /// The version of the file.
        found: u16,
    },
    /// They are results of other types.
    #[error("written by a program with other parameter or return types")]
    Signature,
}

/// Returns the bytes before the first record. `items` is the number of items of the element.
pub fn header(signature: u64, items: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 2]);
    bytes.extend_from_slice(&items.to_le_bytes());
    bytes.extend_from_slice(&signature.to_le_bytes());
    bytes
}

/// Checks the bytes before the first record; `Ok(false)` if not all of them are there yet.
///
/// # Errors
/// Says why the bytes are not a segment of the task.
pub fn check_header(bytes: &[u8], signature: u64) -> Result<bool, SegmentError> {
    let Some(header) = bytes.first_chunk::<HEADER>() else {
        let cut = bytes.len() < MAGIC.len() || bytes.starts_with(&MAGIC);
        return if cut { Ok(false) } else { Err(SegmentError::NotASegment) };
    };
    if header[..8] != MAGIC {
        return Err(SegmentError::NotASegment);
    }
    let found = u16::from_le_bytes([header[8], header[9]]);
    if found != FORMAT_VERSION {
        return Err(SegmentError::Version { found });
    }
    if u64::from_le_bytes(field(&bytes[16..])) != signature {
        return Err(SegmentError::Signature);
    }
    Ok(true)
}

/// Returns how many items the element has whose segment this is, or nothing if the header is not whole.
pub fn items(segment: &[u8]) -> Option<u32> {
    let header = segment.first_chunk::<HEADER>().filter(|header| header.starts_with(&MAGIC))?;
    Some(u32::from_le_bytes([header[12], header[13], header[14], header[15]]))
}

/// The whole records of a segment, from a given position on.
///
/// Iteration ends where no whole record follows; [`position`](Self::position) is there.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Records<'a> {
    /// Returns the records in `bytes`, from `position` on.
    pub fn new(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    /// Returns the damage of the bytes behind the last whole record. `None` if a process may still have
    /// been writing them: a torn record lacks its end, but its existing bytes are valid.
    pub fn damage(&self) -> Option<&'static str> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let head = rest.get(..RECORD)?;
        let length = u32::from_le_bytes(field(head)) as usize;
        if RecordKind::of(u32::from_le_bytes(field(&head[4..]))).is_none() || length > MAX_PAYLOAD {
            return Some("damaged: a record has no meaning");
        }
        let payload = rest.get(RECORD..RECORD + length)?;
        let sound = check(&head[..16], payload) == u64::from_le_bytes(field(&head[16..]));
        (!sound).then_some("damaged: the checksum of a record does not fit")
    }

    /// Returns whether bytes are left behind the last whole record.
    pub fn is_torn(&self) -> bool {
        self.position < self.bytes.len()
    }

    /// Returns where the last whole record that was read ends.
    pub fn position(&self) -> usize {
        self.position
    }
}

impl Iterator for Records<'_> {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let rest = self.bytes.get(self.position..)?;
        let head = rest.get(..RECORD)?;
        let length = u32::from_le_bytes(field(head)) as usize;
        let kind = RecordKind::of(u32::from_le_bytes(field(&head[4..])))?;
        let index = u64::from_le_bytes(field(&head[8..]));
        if length > MAX_PAYLOAD {
            return None;
        }
        let payload = rest.get(RECORD..RECORD + length)?;
        if check(&head[..16], payload) != u64::from_le_bytes(field(&head[16..])) {
            return None;
        }
        let start = self.position + RECORD;
        self.position = start + length;
        Some(Record { kind, index, payload: start..self.position })
    }
}

/// Adds a record to `bytes`.
pub fn push_record(bytes: &mut Vec<u8>, kind: RecordKind, index: u64, payload: &[u8]) {
    let mut head = [0; 16];
    // A payload is a value or a report, which the codec keeps below `MAX_PAYLOAD`.
    head[..4].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    head[4..8].copy_from_slice(&kind.code().to_le_bytes());
    head[8..].copy_from_slice(&index.to_le_bytes());
    bytes.reserve(RECORD + payload.len());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&check(&head, payload).to_le_bytes());
    bytes.extend_from_slice(payload);
}

fn check(head: &[u8], payload: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(head).update(payload);
    u64::from_le_bytes(field(hasher.finalize().as_bytes()))
}

fn field<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut field = [0; N];
    for (to, from) in field.iter_mut().zip(bytes) {
        *to = *from;
    }
    field
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::outcome::{Failure, FailureKind, RunReport};

    fn segment(dir: &Path) -> (std::path::PathBuf, SegmentWriter, Done) {
        let path = dir.join("0");
        let (writer, done) = SegmentWriter::open(&path, 7, 3, &RunReport::default()).unwrap();
        (path, writer, done)
    }

    #[test]
    fn a_run_that_comes_again_finds_what_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let (path, mut writer, done) = segment(dir.path());
        assert!(done.items.is_empty() && !done.any_failed);
        writer.item(4, Ok(b"four")).unwrap();
        writer.item(5, Err(&Failure::new(FailureKind::Error, "no"))).unwrap();
        drop(writer);
        // Torn in the middle of a record.
        let mut bytes = fs::read(&path).unwrap();
        let whole = bytes.len();
        push_record(&mut bytes, RecordKind::Value, 6, b"six");
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let (path, mut writer, done) = segment(dir.path());
        assert_eq!(done.items, HashSet::from([4, 5]));
        assert!(done.any_failed);
        writer.item(6, Ok(b"six")).unwrap();
        writer.end(&RunReport::default()).unwrap();
        let bytes = fs::read(&path).unwrap();
        let records: Vec<Record> = Records::new(&bytes, HEADER).collect();
        let kinds: Vec<_> = records.iter().map(|record| (record.kind, record.index)).collect();
        assert_eq!(
            kinds,
            [
                (RecordKind::RunBegins, 0),
                (RecordKind::Value, 4),
                (RecordKind::Failure, 5),
                (RecordKind::RunBegins, 0),
                (RecordKind::Value, 6),
                (RecordKind::RunEnds, 0),
            ]
        );
        assert_eq!(&bytes[records[4].payload.clone()], b"six");
        assert!(records[2].payload.end <= whole);
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let mut bytes = header(7, 3);
        push_record(&mut bytes, RecordKind::Value, 1, b"one");
        let first = bytes.len();
        push_record(&mut bytes, RecordKind::Value, 2, b"two");
        for cut in first..bytes.len() {
            let mut records = Records::new(&bytes[..cut], HEADER);
            assert_eq!((records.by_ref().count(), records.position()), (1, first));
            assert_eq!((records.damage(), records.is_torn()), (None, cut > first));
        }
        for at in first..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 4;
            let mut records = Records::new(&flipped, HEADER);
            assert_eq!(records.by_ref().count(), 1, "byte {at}");
            // A length that became larger looks like a record whose end is still missing.
            assert!(
                records.damage().is_some() || (at < first + 4 && records.is_torn()),
                "byte {at}"
            );
        }
    }

    #[test]
    fn bytes_that_are_not_a_segment_are_refused() {
        assert_eq!(check_header(&header(7, 3), 7), Ok(true));
        assert_eq!(items(&header(7, 3)), Some(3));
        assert_eq!(items(&header(7, 3)[..20]), None);
        assert_eq!(check_header(&header(7, 3)[..20], 7), Ok(false));
        assert_eq!(check_header(&header(7, 3), 8), Err(SegmentError::Signature));
        assert_eq!(check_header(&[0; 40], 7), Err(SegmentError::NotASegment));
    }
}
