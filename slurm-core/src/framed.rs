//! Values in files of their own: encoded, inside a frame.

use crate::codec::CodecError;
use crate::frame::FrameError;

/// Why a spec or an outcome cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The frame around it is damaged.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The frame is sound, but its content cannot be decoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Gives a type the two directions: `to_bytes` and `from_bytes`.
macro_rules! framed {
    ($type:ty, $kind:expr) => {
        impl $type {
            /// Returns the content of the file for the task `task` with the signature hash `signature`.
            ///
            /// # Errors
            /// [`ReadError::Codec`](crate::spec::ReadError::Codec) or
            /// [`ReadError::Frame`](crate::spec::ReadError::Frame) if the values are too large.
            pub fn to_bytes(
                &self,
                task: &str,
                signature: u64,
            ) -> Result<Vec<u8>, $crate::framed::ReadError> {
                let payload = $crate::codec::encode(self)?;
                let frame = $crate::frame::Frame { task, signature, payload: &payload };
                Ok(frame.to_bytes($kind)?)
            }

            /// Reads the content of such a file, and the frame around it.
            ///
            /// # Errors
            /// Says whether the frame or its content is wrong.
            pub fn from_bytes(
                bytes: &[u8],
            ) -> Result<(Self, $crate::frame::Frame<'_>), $crate::framed::ReadError> {
                let frame = $crate::frame::Frame::from_bytes(bytes, $kind)?;
                Ok(($crate::codec::decode(frame.payload)?, frame))
            }
        }
    };
}
pub(crate) use framed;
