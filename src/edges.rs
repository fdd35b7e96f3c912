//! What a job waits for.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;
use slurm_core::options::{self, DependencyKind, OptionSet, OptionValue, Source};
use slurm_core::task::Task;

use crate::builder::JobBuilder;
use crate::cluster::Cluster;
use crate::job::Job;

/// A job that another one waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Edge {
    /// What must have happened to it, in sbatch's word: `afterok`, `afterany`, `afternotok` or `after`.
    pub kind: String,
    /// The job.
    pub job: JobId,
    /// Minutes to wait after its start, for `after`.
    pub minutes: Option<u64>,
    /// Its task.
    pub task: String,
    /// Its directory.
    pub dir: PathBuf,
    /// The backend that runs it.
    pub backend: String,
}

impl Edge {
    pub(crate) fn new<U>(kind: DependencyKind, job: &Job<U>) -> Self {
        Self {
            kind: kind.as_str().to_owned(),
            job: job.id(),
            minutes: None,
            task: job.handle().task.clone(),
            dir: job.handle().dir.clone(),
            backend: job.cluster().backend().name().to_owned(),
        }
    }

    /// Says so if the job is not one that jobs of `cluster` can wait for.
    pub(crate) fn not_of(&self, cluster: &Cluster) -> Option<String> {
        let backend = cluster.backend();
        // Each job base directory of the embedded backend has job ids of its own.
        let fits = self.backend == backend.name()
            && (self.backend != "local" || self.dir.starts_with(backend.job_base_dir()));
        let Self { job, task, dir, .. } = self;
        let dir = dir.display();
        (!fits).then(|| format!("job {job} ({task}) in {dir} is not one of this cluster, so no job here can wait for it"))
    }
}

/// What the job waits for, beside the jobs whose results it takes.
impl<T: Task> JobBuilder<T> {
    /// Runs the job only after `job` has succeeded. If that fails, this one ends as
    /// [`DependencyFailed`](crate::JobErrorKind::DependencyFailed).
    pub fn after<U>(self, job: &Job<U>) -> Self {
        self.wait_for(Edge::new(DependencyKind::AfterOk, job))
    }

    /// Runs the job after `job` has ended, however it ended.
    pub fn after_any<U>(self, job: &Job<U>) -> Self {
        self.wait_for(Edge::new(DependencyKind::AfterAny, job))
    }

    /// Runs the job only after `job` has failed.
    pub fn after_not_ok<U>(self, job: &Job<U>) -> Self {
        self.wait_for(Edge::new(DependencyKind::AfterNotOk, job))
    }

    /// Runs the job once `job` has started, `delay` later; Slurm counts in minutes, rounded up.
    pub fn after_start<U>(self, job: &Job<U>, delay: Duration) -> Self {
        let minutes = Some(delay.as_secs().div_ceil(60)).filter(|minutes| *minutes > 0);
        self.wait_for(Edge { minutes, ..Edge::new(DependencyKind::After, job) })
    }

    /// Runs the job only while no other job of the same name and user runs.
    pub fn singleton(self) -> Self {
        self.set("dependency", "singleton")
    }
}

/// Makes the options say what the job waits for.
pub(crate) fn add_to(set: &mut OptionSet, edges: &[Edge]) -> Result<(), String> {
    if edges.is_empty() {
        return Ok(());
    }
    let mut items: Vec<String> = edges
        .iter()
        .map(|Edge { kind, job, minutes, .. }| match minutes {
            Some(minutes) => format!("{kind}:{job}+{minutes}"),
            None => format!("{kind}:{job}"),
        })
        .collect();
    items.sort_unstable();
    items.dedup();
    let mut dependency = items.join(",");
    if let Some(OptionValue::Value(given)) = set.get("dependency") {
        if given.contains('?') {
            return Err(format!(
                "`dependency = \"{given}\"` is met by any of its jobs, but this job needs {dependency} as well: join them with `,`"
            ));
        }
        dependency = format!("{dependency},{given}");
    }
    put(set, "dependency", &dependency, Source::CallSite)?;
    if set.get("kill_on_invalid_dep").is_none() {
        // Without what it waits for, the job could only wait for ever.
        put(set, "kill_on_invalid_dep", "yes", Source::Default)?;
    }
    Ok(())
}

fn put(set: &mut OptionSet, key: &str, value: &str, source: Source) -> Result<(), String> {
    let spec = options::lookup(key).map_err(|error| error.to_string())?;
    let value = spec.parse(value).map_err(|error| error.to_string())?;
    set.set(spec, value, source);
    Ok(())
}
