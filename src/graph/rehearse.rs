//! Dry runs: the submissions of a program up to the point where it needs a result.
//!
//! A dry run uses the mechanism of plans: each submission is recorded, and `submit` returns a placeholder, which later
//! submissions can depend on and take as an argument. The state and the result of a placeholder are
//! [`Error::DryRun`](crate::Error::DryRun).

use std::io::Write;
use std::sync::Arc;

use slurm_core::ids::JobId;
use slurm_core::task::Task;

use super::plan::{Planner, note};
use crate::array::{self, ArraySettings, JobArray, Spooled};
use crate::builder::JobBuilder;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::job::Job;
use crate::model::{Explanation, JobHandle};
use crate::submit;
use crate::submit::CallOptions;

/// Returns a placeholder for the job that `call` would become.
pub(crate) fn rehearse<T: Task>(
    planner: &Arc<Planner>,
    cluster: &Cluster,
    call: JobBuilder<T>,
) -> Result<Job<T::Output>> {
    let entry = T::entry();
    let explanation = call.prepare(cluster, false, submit::new_submission_id())?.explanation;
    let job_id = note(planner, cluster, &explanation, entry);
    planner.rehearsed(job_id, &explanation);
    let handle = JobHandle {
        submission_id: explanation.submission_id.clone(),
        job_id,
        cluster: None,
        task: entry.name.to_owned(),
        signature: entry.signature,
        dir: explanation.dir.clone(),
    };
    Ok(Job::new(placeholder(planner, cluster), handle, T::decode_output, Some(explanation)))
}

/// Returns a placeholder for an array.
pub(crate) fn rehearse_array<T: Task>(
    planner: &Arc<Planner>,
    cluster: &Cluster,
    spooled: &Spooled,
    options: CallOptions,
    settings: &ArraySettings,
) -> Result<JobArray<T::Output>> {
    let entry = T::entry();
    if spooled.count() == 0 {
        return Ok(JobArray::empty(cluster, entry, T::decode_output));
    }
    let submission_id = submit::new_submission_id();
    let parts = array::prepare::<T>(cluster, spooled, options, settings, submission_id, false)?;
    let explanation = parts.explanation();
    let job_id = note(planner, cluster, &explanation, entry);
    planner.rehearsed(job_id, &explanation);
    let handle = parts.handle(&vec![job_id; parts.submissions.len()]);
    let cluster = placeholder(planner, cluster);
    Ok(JobArray::new(&cluster, handle, T::decode_output, Some(explanation)))
}

/// Returns the cluster of a job that does not exist.
fn placeholder(planner: &Arc<Planner>, cluster: &Cluster) -> Cluster {
    cluster.for_planning(Arc::clone(planner), cluster.jobs_dir(), None)
}

impl Planner {
    /// Returns one for a dry run, which prints each submission if it is to.
    pub(crate) fn of_dry_run(prints: bool) -> Self {
        Self { dry_run: Some(prints), ..Self::default() }
    }

    /// Records a submission, and prints it if the user asked for that.
    pub(crate) fn rehearsed(&self, job: JobId, explanation: &Explanation) {
        if self.dry_run == Some(true) {
            // A failure to print is ignored: the program may have closed its standard output.
            let _ = writeln!(std::io::stdout(), "submission {job}\n{explanation}");
        }
        self.lock().rehearsed.push(explanation.clone());
    }
}

impl Cluster {
    /// Returns the submissions so far, if this is a [dry run](crate::ClusterBuilder::dry_run).
    pub fn rehearsed(&self) -> Vec<Explanation> {
        self.rehearsal().map(|planner| planner.lock().rehearsed.clone()).unwrap_or_default()
    }
}
