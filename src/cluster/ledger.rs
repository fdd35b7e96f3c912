//! Who keeps account of what is submitted.

use std::fmt;
use std::path::{Path, PathBuf};

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::spec::Argument;
use slurm_core::task::TaskEntry;

use super::{Cluster, Key, Shape};
use crate::error::{Error, Result};
use crate::model::Explanation;

/// Keeps account of what is submitted: nobody ([`Client`]), the journal of a workflow, a plan, or a dry run.
///
/// A submission goes through it in this order: [`claim`](Self::claim), [`intend`](Self::intend), then the submission
/// itself, and then [`note`](Self::note). If it [does not send](Self::sends), [`record`](Self::record) takes the place
/// of everything after the claim.
pub(crate) trait Ledger: fmt::Debug + Send + Sync {
    /// Returns the directory below which the submissions have theirs; `base` is that of all jobs.
    fn jobs_dir(&self, base: &Path) -> PathBuf;

    /// Returns the job of the workflow that submits.
    fn within(&self) -> Option<JobId> {
        None
    }

    /// Returns the jobs that go on for as long as the submitter waits: its own and those around it.
    fn waiting(&self) -> Vec<JobId> {
        Vec::new()
    }

    /// Returns whether it may submit in a process that runs inside of a job.
    fn may_submit_inside_jobs(&self) -> bool {
        false
    }

    /// Returns whether submissions have to be made one by one, because their order matters.
    fn has_order(&self) -> bool {
        true
    }

    /// Returns whether submissions go to the backend.
    fn sends(&self) -> bool {
        true
    }

    /// Returns the error of what only a job can tell, about a job of `task`, if this is the ledger of jobs that are
    /// only planned.
    fn only_planned(&self, _task: &str) -> Option<Error> {
        None
    }

    /// Returns whether its jobs are only planned.
    fn is_planned(&self) -> bool {
        false
    }

    /// Gives a call its place, with the job that an earlier run made of it. The key of the call is asked for only if
    /// it matters.
    fn claim(&self, _call: &dyn Fn() -> Result<(Key, Shape)>) -> Result<Option<Claim>> {
        Ok(None)
    }

    /// Gives the place back: the call came to nothing.
    fn release(&self, _claim: &Claim) {}

    /// Notes that the call is about to be submitted.
    fn intend(&self, _claim: &Claim, _submission: &SubmissionId) -> Result<()> {
        Ok(())
    }

    /// Notes what became of a submission.
    fn note(&self, _submission: &SubmissionId, _what: Noted<'_>) {}

    /// Records a submission that is not sent. Returns the id of the placeholder and its cluster; nothing if submissions
    /// are sent. `arguments` are those of a single call.
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

/// What became of a submission.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Noted<'a> {
    /// It has these jobs, on the Slurm cluster of this name if that is not the host's own.
    Jobs(&'a [JobId], Option<&'a str>),
    /// It was refused, so it has no job.
    Refused,
}

impl<'a> Noted<'a> {
    /// Returns what is to be noted of a submission that ended in `error`; nothing if it may exist.
    pub(crate) fn of_error(error: &Error) -> Option<Noted<'a>> {
        (!error.leaves_submission_open()).then_some(Noted::Refused)
    }
}

/// A job that an earlier run of a workflow has submitted, or was about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    pub(crate) submission_id: SubmissionId,
    /// One, or those of the Slurm arrays that an array takes; none if they are not known.
    pub(crate) job_ids: Vec<JobId>,
    /// The Slurm cluster that has them, if it is not the host's own.
    pub(crate) cluster: Option<String>,
    /// Of the workflow that this one resumes.
    pub(crate) is_inherited: bool,
}

/// A call's place in a ledger.
#[derive(Clone, Debug)]
pub(crate) struct Claim {
    pub(crate) key: Key,
    pub(crate) number: usize,
    pub(crate) shape: String,
    /// The job of an earlier run.
    pub(crate) child: Option<Child>,
    /// If there is none: a job that nobody has claimed yet, of a call whose arguments differ in their order alone.
    pub(crate) twin: Option<SubmissionId>,
}

/// A program outside of any job, which keeps no account.
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
    /// Refuses what only a job can tell, of one of `task` that is only planned.
    pub(crate) fn check_is_real(&self, task: &str) -> Result<()> {
        self.ledger().only_planned(task).map_or(Ok(()), Err)
    }
}
