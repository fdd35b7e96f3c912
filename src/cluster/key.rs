//! The identity of a call within a workflow.

use serde::{Deserialize, Serialize};
use slurm_core::codec;
use slurm_core::ids::SubmissionId;
use slurm_core::spec::Argument;

use crate::error::{Error, Result};

/// The identity of a call, apart from its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Key {
    task: String,
    /// A hash of the types and the arguments.
    arguments: String,
}

/// The counts of each byte in the arguments. Arguments that differ only in the order of their parts have the
/// same shape: the parts of a `HashMap` have another order in each process.
#[derive(Debug)]
pub(crate) struct Shape([u64; 256]);

impl Shape {
    pub(crate) fn new() -> Self {
        Self([0; 256])
    }

    /// Adds some of the bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.0[usize::from(*byte)] += 1);
    }

    pub(crate) fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for count in self.0 {
            hasher.update(&count.to_le_bytes());
        }
        hasher.finalize().to_hex()[..32].to_owned()
    }
}

impl Key {
    pub(crate) fn task(&self) -> &str {
        &self.task
    }

    /// Returns the key of a call and the shape of its arguments. `arrays` are the arrays whose values are
    /// arguments.
    ///
    /// # Errors
    /// If the arguments are too large together.
    pub(crate) fn new<'a>(
        task: &str,
        signature: u64,
        arguments: &[Argument],
        arrays: impl Iterator<Item = &'a SubmissionId>,
    ) -> Result<(Self, Shape)> {
        let bytes = codec::encode(arguments)
            .map_err(|source| Error::Argument { parameter: "all together", source })?;
        let mut shape = Shape::new();
        shape.update(&bytes);
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"call").update(&bytes);
        for submission_id in arrays {
            hasher.update(submission_id.as_str().as_bytes());
            shape.update(submission_id.as_str().as_bytes());
        }
        Ok((Self::of_digest(task, signature, &hasher.finalize()), shape))
    }

    /// Returns the key of a call with the arguments whose hash is `digest`.
    pub(crate) fn of_digest(task: &str, signature: u64, digest: &blake3::Hash) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&signature.to_le_bytes()).update(digest.as_bytes());
        Self { task: task.to_owned(), arguments: hasher.finalize().to_hex()[..32].to_owned() }
    }
}
