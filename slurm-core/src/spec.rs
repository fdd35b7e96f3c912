//! What the runner reads.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::codec::{self, CodecError};
use crate::frame::{Frame, FrameError, FrameKind};
use crate::ids::PreId;

/// Everything that the runner has to know to run one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The submission.
    pub pre_id: PreId,
    /// The arguments in the order of the parameters.
    pub arguments: Vec<Argument>,
    /// The time limit that was asked for, in seconds. Slurm tells a job its end time only from 23.02.
    pub time_limit: Option<u64>,
}

/// One argument of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Argument {
    /// The encoded value itself.
    Inline(#[serde(with = "serde_bytes")] Vec<u8>),
    /// The value that another job returns: the path of its outcome.
    ResultOf(PathBuf),
}

/// Why a spec or an outcome cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The frame around it is not whole.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The frame is whole, but what it holds cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl Spec {
    /// Returns the file of this spec for the task `task` with the signature hash `signature`.
    ///
    /// # Errors
    /// [`ReadError::Codec`] or [`ReadError::Frame`] if the arguments together are too large.
    pub fn to_bytes(&self, task: &str, signature: u64) -> Result<Vec<u8>, ReadError> {
        let payload = codec::encode(self)?;
        Ok(Frame { task, signature, payload: &payload }.to_bytes(FrameKind::Spec)?)
    }

    /// Reads a spec and the frame around it.
    ///
    /// # Errors
    /// Says whether the frame or its content is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<(Self, Frame<'_>), ReadError> {
        let frame = Frame::from_bytes(bytes, FrameKind::Spec)?;
        Ok((codec::decode(frame.payload)?, frame))
    }
}
