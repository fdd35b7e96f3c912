//! Job ids with the suffixes for elements, components and steps.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ids::{IdError, JobId};
use crate::options::ArraySpec;
use crate::text_form::text_form;

/// A job, or a part of one, as Slurm's commands print and take it: `123`, `123_4`, `123_[1,3-5%2]`, `123+1`,
/// `123.batch`, `123_4.0`.
///
/// ```
/// use slurm_core::full_id::{FullJobId, JobPart, JobStep};
///
/// let id: FullJobId = "123_4.0".parse()?;
/// assert_eq!((id.job.get(), id.part, id.step), (123, JobPart::Element(4), Some(JobStep::Number(0))));
/// assert!("123; scancel 7".parse::<FullJobId>().is_err());
/// # Ok::<(), slurm_core::ids::IdError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FullJobId {
    /// The job; of an array, the id that it was submitted under.
    pub job: JobId,
    /// Which part of it.
    pub part: JobPart,
    /// Which step of that.
    pub step: Option<JobStep>,
}

/// A part of a job.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobPart {
    /// All of it.
    Whole,
    /// An element of an array: `_4`.
    Element(u32),
    /// The elements of an array that wait: `_[1,3-5%2]`.
    Elements(ArraySpec),
    /// A component of a heterogeneous job: `+1`.
    Component(u32),
}

/// A step of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobStep {
    /// The batch script.
    Batch,
    /// Processes that were adopted from outside.
    Extern,
    /// An interactive step of salloc.
    Interactive,
    /// A step of srun.
    Number(u32),
}

impl From<JobId> for FullJobId {
    fn from(job: JobId) -> Self {
        Self { job, part: JobPart::Whole, step: None }
    }
}

impl FromStr for FullJobId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        read(text).ok_or_else(|| {
            IdError::new("job id", "one such as 123, 123_4, 123_[1,3-5], 123+1 or 123.batch", text)
        })
    }
}

fn read(text: &str) -> Option<FullJobId> {
    let (id, step) = match text.rsplit_once('.') {
        Some((id, step)) => (id, Some(read_step(step)?)),
        None => (text, None),
    };
    let (job, part) = if let Some((job, part)) = id.split_once('_') {
        (job, read_element(part)?)
    } else if let Some((job, component)) = id.split_once('+') {
        (job, JobPart::Component(number(component)?))
    } else {
        (id, JobPart::Whole)
    };
    Some(FullJobId { job: job.parse().ok()?, part, step })
}

fn read_element(text: &str) -> Option<JobPart> {
    match text.strip_prefix('[') {
        None => number(text).map(JobPart::Element),
        Some(list) => {
            let list =
                list.strip_suffix(']').filter(|list| !list.contains(['[', ']', ' ', '+']))?;
            list.parse().ok().map(JobPart::Elements)
        }
    }
}

fn read_step(text: &str) -> Option<JobStep> {
    Some(match text {
        "batch" => JobStep::Batch,
        "extern" => JobStep::Extern,
        "interactive" => JobStep::Interactive,
        other => JobStep::Number(number(other)?),
    })
}

/// Reads digits, and nothing else that Rust would take for a number.
fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

impl fmt::Display for FullJobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.job)?;
        match &self.part {
            JobPart::Whole => {}
            JobPart::Element(index) => write!(f, "_{index}")?,
            JobPart::Elements(indices) => write!(f, "_[{indices}]")?,
            JobPart::Component(offset) => write!(f, "+{offset}")?,
        }
        match self.step {
            None => Ok(()),
            Some(JobStep::Batch) => f.write_str(".batch"),
            Some(JobStep::Extern) => f.write_str(".extern"),
            Some(JobStep::Interactive) => f.write_str(".interactive"),
            Some(JobStep::Number(number)) => write!(f, ".{number}"),
        }
    }
}

text_form!(FullJobId, IdError);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_that_slurm_prints_is_read_and_written() {
        for text in [
            "123",
            "123_4",
            "123_0",
            "123_[1,3-5%2]",
            "123_[0-15]",
            "123_[0-6:2]",
            "123+1",
            "123.batch",
            "123.extern",
            "123.0",
            "123_4.0",
            "123_4.batch",
            "123+1.batch",
            "123.interactive",
        ] {
            assert_eq!(text.parse::<FullJobId>().map(|id| id.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn a_text_that_is_not_an_id_is_refused() {
        for text in [
            "",
            "0",
            "_4",
            "+1",
            ".0",
            "123_",
            "123+",
            "123.",
            "123_-1",
            "123_+1",
            "123_4_5",
            "123_4+1",
            "123_[",
            "123_[]",
            "123_[1",
            "123_1]",
            "123_[a]",
            "123_[1 ]",
            "123.1.2",
            "123.bash",
            "123 ",
            " 123",
            "123\n4",
            "123;cluster",
            "123|COMPLETED",
            "$(id)",
            "123_4294967296",
            "123.4294967296",
            "99999999999",
            "123_[[1]]",
        ] {
            assert!(text.parse::<FullJobId>().is_err(), "{text:?}");
        }
    }
}
