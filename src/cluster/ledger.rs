//! Records of submissions.

use std::fmt;
use std::path::{Path, PathBuf};

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::spec::Argument;
use slurm_core::task::TaskEntry;

use super::{Cluster, Key, Shape};
use crate::error::{Error, Result};
use crate::model::Explanation;

/// Records submissions. Its implementations are a workflow's journal, a plan, a dry run, and [`Client`], which
/// records nothing.
///
/// A submission calls [`claim`](Self::claim) and [`intend`](Self::intend), then submits, and then calls
/// [`note`](Self::note). If the ledger [does not send](Self::sends), [`record`](Self::record) replaces
/// everything after the claim.
pub(crate) trait Ledger: fmt::Debug + Send + Sync {
    /// Returns the directory that holds the directories of the submissions; `base` is the job base directory.
    fn jobs_dir(&self, base: &Path) -> PathBuf;

    /// Returns the job of the workflow that submits.
    fn within(&self) -> Option<JobId> {
        None
    }

    /// Returns the jobs that keep running while the submitter waits: its own and the ones around it.
    fn waiting(&self) -> Vec<JobId> {
        Vec::new()
    }

    /// Returns whether a process inside a job may submit with this ledger.
    fn may_submit_inside_jobs(&self) -> bool {
        false
    }

    /// Returns whether submissions must be made one by one, because their order matters.
    fn has_order(&self) -> bool {
        true
    }

    /// Returns whether submissions go to the backend.
    fn sends(&self) -> bool {
        true
    }

    /// Returns the error for a question that only a real job can answer, about a job of `task`, if jobs of this
    /// ledger are only planned.
    fn only_planned(&self, _task: &str) -> Option<Error> {
        None
    }

    /// Returns whether its jobs are only planned.
    fn is_planned(&self) -> bool {
        false
    }

    /// Assigns a number to a call, and returns it with the job that an earlier run submitted for the call.
    /// `_call` is called only if the key matters.
    fn claim(&self, _call: &dyn Fn() -> Result<(Key, Shape)>) -> Result<Option<Claim>> {
        Ok(None)
    }

    /// Frees the number of a call that led to no submission.
    fn release(&self, _claim: &Claim) {}

    /// Records that the call is about to be submitted.
    fn intend(&self, _claim: &Claim, _submission: &SubmissionId) -> Result<()> {
        Ok(())
    }

    /// Records the result of a submission.
    fn note(&self, _submission: &SubmissionId, _what: Noted<'_>) {}

    /// Records a submission that is not sent. Returns the id of the placeholder and its cluster, or `None` if
    /// submissions are sent. `arguments` are the arguments of a single call.
    fn record(
        &self,
        _cluster: &Cluster,
        _explanation: &Explanation,
        _entry: &TaskEntry,
        _arguments: Option<&[Argument]>,
    ) -> Result<Option<(JobId, Cluster)>> {
        Ok(None)
    }
}

/// The result of a submission.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noted<'a> {
    /// It has these jobs, on the Slurm cluster of this name if it is not the host's own.
    Jobs(&'a [JobId], Option<&'a str>),
    /// It was refused, so it has no job.
    Refused,
}

impl<'a> Noted<'a> {
    /// Returns the note about a submission that ended in `error`, or `None` if its job may exist.
    pub(crate) fn of_error(error: &Error) -> Option<Noted<'a>> {
        (!error.leaves_submission_open()).then_some(Noted::Refused)
    }
}

/// A job that an earlier run of a workflow has submitted or was about to submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) submission_id: SubmissionId,
    /// One job, or the Slurm arrays of an array; empty if they are not known.
    pub(crate) job_ids: Vec<JobId>,
    /// The Slurm cluster that has them, if it is not the host's own.
    pub(crate) cluster: Option<String>,
    /// Whether it is a job of the workflow that this one resumes.
    pub(crate) is_inherited: bool,
}

/// The number of a call in a ledger.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) key: Key,
    pub(crate) number: usize,
    pub(crate) shape: String,
    /// The job of an earlier run.
    pub(crate) child: Option<Child>,
    /// Without a child: an unclaimed job of a call whose arguments differ only in their order.
    pub(crate) twin: Option<SubmissionId>,
}

/// The ledger of a program outside of any job, which records nothing.
#[derive(Debug)]
pub(crate) struct Client;

impl Ledger for Client {
    fn jobs_dir(&self, base: &Path) -> PathBuf {
        base.to_owned()
    }

    fn has_order(&self) -> bool {
        false
    }
}

impl Cluster {
    /// Refuses a question about a job of `task` that only a real job can answer, if it is only planned.
    pub(crate) fn check_is_real(&self, task: &str) -> Result<()> {
        self.ledger().only_planned(task).map_or(Ok(()), Err)
    }
}
