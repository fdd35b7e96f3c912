//! What tells the calls of a workflow apart.

use serde::{Deserialize, Serialize};
use slurm_core::codec;
use slurm_core::ids::PreId;
use slurm_core::spec::Argument;

use crate::error::{Error, Result};

/// What a call is known by, apart from its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    pub(super) task: String,
    /// A hash of the types and the arguments.
    arguments: String,
}

impl Key {
    /// Returns the key of a call, with `arrays` of whose values arguments are.
    ///
    /// # Errors
    /// If the arguments together are too large.
    pub(crate) fn new<'a>(
        task: &str,
        signature: u64,
        arguments: &[Argument],
        arrays: impl Iterator<Item = &'a PreId>,
    ) -> Result<Self> {
        let bytes = codec::encode(arguments)
            .map_err(|source| Error::Argument { parameter: "all together", source })?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"call").update(&bytes);
        for pre_id in arrays {
            hasher.update(pre_id.as_str().as_bytes());
        }
        Ok(Self::of_digest(task, signature, &hasher.finalize()))
    }

    /// Returns the key of a call with the arguments whose hash is `digest`.
    pub(crate) fn of_digest(task: &str, signature: u64, digest: &blake3::Hash) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&signature.to_le_bytes()).update(digest.as_bytes());
        Self { task: task.to_owned(), arguments: hasher.finalize().to_hex()[..32].to_owned() }
    }
}
