//! Dry runs: what a program submits, as far as that can be known without results.
//!
//! A dry run is planned as a workflow is: what is submitted is noted, and what comes back is a placeholder that
//! later submissions can wait for and take values of. Where the program asks for what only a job can tell, it
//! gets [`Error::DryRun`](crate::Error::DryRun).

use std::io::Write;
use std::sync::Arc;

use slurm_core::ids::JobId;
use slurm_core::task::Task;

use super::plan::{Planner, note};
use crate::array::{self, ArraySettings, JobArray, Spooled};
use crate::builder::{CallOptions, JobBuilder};
use crate::cluster::Cluster;
use crate::error::Result;
use crate::explain::Explanation;
use crate::job::{Job, JobHandle};
use crate::submit;

/// Returns a placeholder for the job that `call` would become.
pub(crate) fn rehearse<T: Task>(
    planner: &Arc<Planner>,
    cluster: &Cluster,
    call: JobBuilder<T>,
) -> Result<Job<T::Output>> {
    let entry = T::entry();
    let explanation = call.prepare(cluster, false, submit::new_pre_id())?.explanation;
    let job_id = note(planner, cluster, &explanation, entry);
    planner.rehearsed(job_id, &explanation);
    let handle = JobHandle {
        pre_id: explanation.pre_id.clone(),
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
    let pre_id = submit::new_pre_id();
    let parts = array::prepare::<T>(cluster, spooled, options, settings, pre_id, false)?;
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

    /// Notes what would be submitted, and prints it if the user has asked for that.
    pub(crate) fn rehearsed(&self, job: JobId, explanation: &Explanation) {
        if self.dry_run == Some(true) {
            // Without standard output there is nobody to show it to.
            let _ = writeln!(std::io::stdout(), "submission {job}\n{explanation}");
        }
        self.lock().rehearsed.push(explanation.clone());
    }
}

impl Cluster {
    /// Returns what was submitted so far, if this is a [dry run](crate::ClusterBuilder::dry_run).
    pub fn rehearsed(&self) -> Vec<Explanation> {
        self.rehearsal().map(|planner| planner.lock().rehearsed.clone()).unwrap_or_default()
    }
}
