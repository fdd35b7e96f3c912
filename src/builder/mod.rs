//! Calls that are not yet submitted.

mod array;
mod earlier;
mod runs;
mod waits;

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;

use slurm_core::ids::SubmissionId;
use slurm_core::layout::JobDir;
use slurm_core::spec::{Spec, Work};
use slurm_core::task::Task;

use crate::array::CallArguments;
use crate::backend::Prepared;
use crate::cluster::{Claim, Cluster, Key, Ledger, Noted, Shape};
use crate::error::Result;
use crate::job::Job;
use crate::model::Explanation;
use crate::submit::settle::{self, Look};
use crate::submit::{self, Accepted, Call, CallOptions};

pub use array::ArrayBuilder;

/// A call of a task, with the options for its job. [`submit`](Self::submit) turns it into a job.
///
/// `train::job(…)` returns one. Each option of sbatch has a method, named as the option's long name with `_`
/// for `-`. An option that is set here takes precedence over the attribute. `submit` reports all wrong values
/// together.
#[must_use = "a builder does nothing until it is submitted"]
pub struct JobBuilder<T> {
    call: CallArguments,
    pub(crate) options: CallOptions,
    /// The directory of the workflow whose journal this one continues.
    pub(crate) resumed: Option<PathBuf>,
    task: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for JobBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The arguments are left out, because they may be confidential.
        f.debug_struct("JobBuilder").field("options", &self.options.options).finish_non_exhaustive()
    }
}

impl<T: Task> JobBuilder<T> {
    /// Returns the builder of a job that makes `call`; for the attribute macro.
    #[doc(hidden)]
    pub fn new(call: CallArguments) -> Self {
        Self { call, options: CallOptions::default(), resumed: None, task: PhantomData }
    }

    /// Submits the job.
    ///
    /// Writes the job's directory (four files, one synced) and calls sbatch once.
    ///
    /// # Errors
    /// [`NotInitialized`](crate::Error::NotInitialized) and [`InsideJob`](crate::Error::InsideJob) if this process
    /// may not submit; [`Argument`](crate::Error::Argument) and [`Options`](crate::Error::Options) if the call is
    /// wrong; [`Submit`](crate::Error::Submit) if it was refused. After an error no job exists, unless the error is
    /// `Unknown`, `NoJobId` or `SupervisorSilent` of [`SubmitError`](crate::error::SubmitError).
    pub fn submit(self, cluster: &impl AsRef<Cluster>) -> Result<Job<T::Output>> {
        let cluster = cluster.as_ref();
        cluster.check_may_submit()?;
        let ledger = Arc::clone(cluster.ledger());
        let claim = ledger.claim(&|| self.key())?;
        let job = self.submit_claimed(cluster, ledger.as_ref(), claim.as_ref());
        if let (Some(claim), Err(_)) = (&claim, &job) {
            // If the program tries again, that is the same call.
            ledger.release(claim);
        }
        job
    }

    fn submit_claimed(
        self,
        cluster: &Cluster,
        ledger: &dyn Ledger,
        claim: Option<&Claim>,
    ) -> Result<Job<T::Output>> {
        let entry = T::entry();
        let submission_id = match claim.and_then(|claim| claim.child.as_ref()) {
            None => submit::new_submission_id(),
            Some(child) => {
                if let Some(handle) = earlier::job(cluster, ledger, entry, child)? {
                    return Ok(Job::new(cluster.clone(), handle, T::decode_output, None));
                }
                child.submission_id.clone()
            }
        };
        let arguments = (!ledger.sends()).then(|| self.call.arguments.clone());
        let prepared = self.prepare(cluster, ledger.sends(), submission_id.clone())?;
        let explanation = &prepared.explanation;
        if let Some((job_id, there)) =
            ledger.record(cluster, explanation, entry, arguments.as_deref())?
        {
            let handle = prepared.handle(job_id);
            return Ok(Job::new(there, handle, T::decode_output, Some(prepared.explanation)));
        }
        if let Some(claim) = claim.filter(|claim| claim.child.is_none()) {
            ledger.intend(claim, &submission_id)?;
        }
        let accepted = submit::submit(cluster, prepared);
        let noted = match &accepted {
            Ok(Accepted { handle, .. }) => {
                Some(Noted::Jobs(&[handle.job_id], handle.cluster.as_deref()))
            }
            Err(error) => Noted::of_error(error),
        };
        if let Some(noted) = noted {
            ledger.note(&submission_id, noted);
        }
        Ok(job_of::<T>(cluster, accepted?))
    }

    /// Returns the key by which a workflow recognises the call.
    fn key(&self) -> Result<(Key, Shape)> {
        let entry = T::entry();
        let arrays = self.call.arrays.iter().map(|array| &array.submission_id);
        Key::new(entry.name, entry.signature, &self.call.arguments, arrays)
    }

    /// Submits several calls at once, and returns a job or an error for each, in the order of the calls.
    pub(crate) fn submit_all(
        builders: Vec<Self>,
        cluster: &Cluster,
    ) -> Vec<Result<Job<T::Output>>> {
        if cluster.ledger().has_order() {
            // Journal entries and the output of a dry run must be in submission order, so submit one by one.
            return builders.into_iter().map(|builder| builder.submit(cluster)).collect();
        }
        let prepare = |builder: Self| {
            cluster.check_may_submit()?;
            builder.prepare(cluster, true, submit::new_submission_id())
        };
        let mut batch = Vec::new();
        let mut refused = Vec::new();
        for (index, builder) in builders.into_iter().enumerate() {
            match prepare(builder) {
                Ok(prepared) => batch.push(prepared),
                Err(error) => refused.push((index, error)),
            }
        }
        let accepted = submit::submit_all(cluster, batch).into_iter();
        let mut jobs: Vec<_> =
            accepted.map(|accepted| Ok(job_of::<T>(cluster, accepted?))).collect();
        for (index, error) in refused {
            // The positions are ascending, so each error lands at its own.
            jobs.insert(index, Err(error));
        }
        jobs
    }

    /// Returns a description of the submission that [`submit`](Self::submit) would make.
    ///
    /// # Errors
    /// The errors of `submit`, as far as they can be known without submitting.
    pub fn explain(self, cluster: &impl AsRef<Cluster>) -> Result<Explanation> {
        let cluster = cluster.as_ref();
        self.prepare(cluster, false, submit::new_submission_id())
            .map(|prepared| prepared.explanation)
    }

    /// Makes all decisions. With `stage`, also puts the program in its place.
    pub(crate) fn prepare(
        self,
        cluster: &Cluster,
        stage: bool,
        submission_id: SubmissionId,
    ) -> Result<Prepared> {
        let entry = T::entry();
        submit::check_output(entry)?;
        let CallArguments { arguments, mut edges, arrays, items, error, secrets } = self.call;
        if let Some(error) = error {
            return Err(error);
        }
        edges.extend(items.iter().filter_map(|(array, index)| array.item_edge(*index)));
        edges.extend(self.options.edges.iter().cloned());
        let mut waits = edges.clone();
        if stage && !edges.is_empty() {
            let plain = self.options.merged(cluster, entry, &[], &[])?;
            waits = settle::open(cluster, &plain, &edges, Look::AtDoubtful)?.for_all()?;
        }
        let mut options = self.options.merged(cluster, entry, &edges, &waits)?;
        let requeue = self.options.requeue_policy(cluster, entry, &mut options)?;
        let binary =
            if stage { cluster.stage_binary()? } else { cluster.binary_path()?.to_owned() };
        let spec = Spec {
            submission_id: submission_id.clone(),
            work: Work::Call(arguments),
            upstream: arrays.iter().map(|array| array.upstream.clone()).collect(),
            requeue,
            refused: Vec::new(),
        };
        let dir = JobDir::new(&cluster.jobs_dir(), entry.name, &submission_id);
        let resumed = self.resumed;
        let prologue = self.options.prologue(cluster, entry);
        let call =
            Call { entry, spec: &spec, dir, edges, waits, secrets, part: None, resumed, prologue };
        submit::prepare(cluster, call, options, &binary)
    }
}

/// Returns the job of an accepted submission.
fn job_of<T: Task>(cluster: &Cluster, accepted: Accepted) -> Job<T::Output> {
    let Accepted { handle, explanation, began, said } = accepted;
    let job = Job::new(cluster.clone(), handle, T::decode_output, Some(explanation));
    job.submitted(began, said)
}

impl Cluster {
    /// Submits several calls of a task, and returns a job or an error for each, in the order of the calls. A
    /// refused call does not prevent the submission of the others.
    ///
    /// Over SSH all calls together take a few round trips; submitted one by one, each takes one.
    ///
    /// ```no_run
    /// # #[slurm::task]
    /// # fn train(seed: u64) -> f64 { seed as f64 }
    /// # fn main() -> slurm::Result<()> {
    /// # let cluster = slurm::Cluster::local()?;
    /// let jobs = cluster.submit_all((0..100).map(|seed| train::job(seed).time("10")));
    /// for job in jobs {
    ///     println!("{}", job?.result()?);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit_all<T: Task>(
        &self,
        calls: impl IntoIterator<Item = JobBuilder<T>>,
    ) -> Vec<Result<Job<T::Output>>> {
        JobBuilder::submit_all(calls.into_iter().collect(), self)
    }
}
