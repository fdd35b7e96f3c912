//! Frames: the envelope of every file that one side writes and the other reads.
//!
//! ```text
//! offset  size  field
//!      0     8  magic, "SLURMSDK"
//!      8     2  format version, little endian, as all numbers here
//!     10     1  kind (1 spec, 2 outcome)
//!     11     1  zero
//!     12     8  signature hash of the task
//!     20     4  length of the task's name, bytes
//!     24     8  length of the payload, bytes
//!     32    16  checksum: BLAKE3 over everything but these 16 bytes, cut to 128 bits
//!     48     …  the task's name, UTF-8
//!      …     …  the payload
//! ```
//!
//! A reader checks magic, version, kind, lengths and checksum, in this order, before it looks at the
//! payload, so a cut, damaged or foreign file is noticed before anything is decoded.

use std::fmt;

/// The version of the frame format and of its payloads.
///
/// It changes whenever an older reader could misread a newer file.
pub const FORMAT_VERSION: u16 = 2;

/// The largest payload of a frame: 1 GiB. Larger values belong in files of the task's own.
pub const MAX_PAYLOAD: usize = 1 << 30;

const MAGIC: [u8; 8] = *b"SLURMSDK";
const HEADER: usize = 48;
const CHECKSUM: std::ops::Range<usize> = 32..48;
const MAX_NAME: usize = 4096;

/// The kind of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameKind {
    /// The input of the runner: see [`Spec`](crate::spec::Spec).
    Spec,
    /// The output of the runner: see [`Outcome`](crate::outcome::Outcome).
    Outcome,
}

impl FrameKind {
    const fn code(self) -> u8 {
        match self {
            Self::Spec => 1,
            Self::Outcome => 2,
        }
    }
}

impl fmt::Display for FrameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spec => "spec",
            Self::Outcome => "outcome",
        })
    }
}

/// A frame that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The name of the task that the frame belongs to.
    pub task: &'a str,
    /// The hash of that task's parameter and return types, as its writer knew them.
    pub signature: u64,
    /// The content.
    pub payload: &'a [u8],
}

/// Why bytes are not the frame that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The bytes do not begin with the magic.
    #[error("not a slurm-sdk file: it does not begin with SLURMSDK")]
    NotAFrame,
    /// Another version of slurm-sdk wrote it.
    #[error("written in format version {found}; this program reads version {FORMAT_VERSION}")]
    Version {
        /// The version of the file.
        found: u16,
    },
    /// It is a whole frame of another kind.
    #[error("kind {found} where a frame of kind {expected} was expected")]
    Kind {
        /// The kind that was asked for.
        expected: FrameKind,
        /// The code that was found.
        found: u8,
    },
    /// Fewer or more bytes than the header says.
    #[error("{found} bytes long where its header says {expected}")]
    Length {
        /// The length in the header, in bytes.
        expected: u64,
        /// The length of the file, in bytes.
        found: u64,
    },
    /// The bytes differ from the bytes that were written.
    #[error("damaged: its checksum does not fit its content")]
    Checksum,
    /// The payload exceeds [`MAX_PAYLOAD`].
    #[error("{size} bytes of payload; at most {MAX_PAYLOAD} fit into one frame")]
    TooLarge {
        /// The size asked for, in bytes.
        size: u64,
    },
}

impl<'a> Frame<'a> {
    /// Returns the bytes of this frame as a frame of `kind`.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] if the payload or the task's name is over the limit.
    pub fn to_bytes(&self, kind: FrameKind) -> Result<Vec<u8>, FrameError> {
        let (name, payload) = (self.task.as_bytes(), self.payload);
        if payload.len() > MAX_PAYLOAD || name.len() > MAX_NAME {
            return Err(FrameError::TooLarge { size: (payload.len().max(name.len())) as u64 });
        }
        let mut bytes = Vec::with_capacity(HEADER + name.len() + payload.len());
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&[kind.code(), 0]);
        bytes.extend_from_slice(&self.signature.to_le_bytes());
        bytes.extend_from_slice(&(name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(payload);
        let checksum = checksum(&bytes);
        bytes[CHECKSUM].copy_from_slice(&checksum);
        Ok(bytes)
    }

    /// Checks `bytes` and returns the frame of `kind` that they are.
    ///
    /// # Errors
    /// Returns the first check that failed; the module's documentation has their order.
    pub fn from_bytes(bytes: &'a [u8], kind: FrameKind) -> Result<Self, FrameError> {
        if !bytes.starts_with(&MAGIC) {
            let cut = bytes.len() < MAGIC.len() && MAGIC.starts_with(bytes);
            return Err(if cut { short(bytes) } else { FrameError::NotAFrame });
        }
        let version = u16::from_le_bytes(field(bytes, 8)?);
        if version != FORMAT_VERSION {
            return Err(FrameError::Version { found: version });
        }
        let [found, _] = field(bytes, 10)?;
        if found != kind.code() {
            return Err(FrameError::Kind { expected: kind, found });
        }
        let signature = u64::from_le_bytes(field(bytes, 12)?);
        let name_len = u32::from_le_bytes(field(bytes, 20)?);
        let payload_len = u64::from_le_bytes(field(bytes, 24)?);
        if name_len as usize > MAX_NAME || payload_len > MAX_PAYLOAD as u64 {
            return Err(FrameError::TooLarge { size: payload_len.max(name_len.into()) });
        }
        let expected = HEADER as u64 + u64::from(name_len) + payload_len;
        if bytes.len() as u64 != expected {
            return Err(FrameError::Length { expected, found: bytes.len() as u64 });
        }
        if checksum(bytes) != bytes[CHECKSUM] {
            return Err(FrameError::Checksum);
        }
        let (name, payload) = bytes[HEADER..].split_at(name_len as usize);
        let task = std::str::from_utf8(name).map_err(|_| FrameError::Checksum)?;
        Ok(Self { task, signature, payload })
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], FrameError> {
    bytes.get(at..at + N).and_then(|part| part.try_into().ok()).ok_or_else(|| short(bytes))
}

fn short(bytes: &[u8]) -> FrameError {
    FrameError::Length { expected: HEADER as u64, found: bytes.len() as u64 }
}

fn checksum(bytes: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..CHECKSUM.start]).update(&bytes[CHECKSUM.end..]);
    let mut cut = [0; 16];
    cut.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let frame = Frame { task: "app::train", signature: 7, payload: b"payload" };
        frame.to_bytes(FrameKind::Spec).unwrap()
    }

    #[test]
    fn a_frame_comes_back() {
        let bytes = sample();
        let frame = Frame::from_bytes(&bytes, FrameKind::Spec).unwrap();
        assert_eq!(
            (frame.task, frame.signature, frame.payload),
            ("app::train", 7, &b"payload"[..])
        );
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = sample();
        for len in 0..bytes.len() {
            let error = Frame::from_bytes(&bytes[..len], FrameKind::Spec).unwrap_err();
            assert!(matches!(error, FrameError::Length { .. }), "cut at {len}: {error}");
        }
        let longer = [&bytes[..], b"x"].concat();
        assert!(matches!(
            Frame::from_bytes(&longer, FrameKind::Spec),
            Err(FrameError::Length { .. })
        ));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = sample();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::from_bytes(&flipped, FrameKind::Spec).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_frame_that_claims_too_much_is_refused_before_it_is_read() {
        let mut bytes = sample();
        bytes[24..32].copy_from_slice(&(MAX_PAYLOAD as u64 + 1).to_le_bytes());
        assert_eq!(
            Frame::from_bytes(&bytes, FrameKind::Spec),
            Err(FrameError::TooLarge { size: MAX_PAYLOAD as u64 + 1 })
        );
        let name = "x".repeat(MAX_NAME + 1);
        let frame = Frame { task: &name, signature: 7, payload: b"" };
        assert!(matches!(frame.to_bytes(FrameKind::Spec), Err(FrameError::TooLarge { .. })));
    }

    #[test]
    fn a_frame_of_another_version_or_kind_says_so() {
        let mut newer = sample();
        newer[8] = 99;
        assert_eq!(
            Frame::from_bytes(&newer, FrameKind::Spec),
            Err(FrameError::Version { found: 99 })
        );
        assert_eq!(
            Frame::from_bytes(&sample(), FrameKind::Outcome),
            Err(FrameError::Kind { expected: FrameKind::Outcome, found: 1 })
        );
        assert_eq!(Frame::from_bytes(b"#!/bin/sh\n", FrameKind::Spec), Err(FrameError::NotAFrame));
    }
}
