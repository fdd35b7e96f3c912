//! What a job waits for.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;
use slurm_core::options::{self, DependencyKind, OptionSet, OptionValue, Source};
use slurm_core::state::JobState;
use slurm_core::task::Task;

use crate::array::{ArrayBuilder, JobArray};
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
    /// The backend that runs it, with the host if that is another one.
    pub backend: String,
    /// How many items it has, if it is an array.
    #[serde(default)]
    pub items: Option<u64>,
    /// Whether its result, or one of its results, is an argument.
    #[serde(default)]
    pub carries_result: bool,
    /// The element that is waited for, if it is not all of an array.
    #[serde(default)]
    pub element: Option<EdgeElement>,
    /// When the queue last certainly knew the job, unless it has been seen to end since.
    #[serde(skip)]
    pub(crate) known_at: Option<Instant>,
    /// How it ended, if this process has seen that.
    #[serde(skip)]
    pub(crate) ended_as: Option<JobState>,
    /// Which elements of the submission the Slurm array has, if it is one: the number of the first, and how many.
    #[serde(skip)]
    pub(crate) elements: Option<(u64, u32)>,
    /// Whether it is a placeholder of a dry run or a plan, whose id is that of no job.
    #[serde(skip)]
    pub(crate) is_planned: bool,
}

/// An element of an array that another job waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EdgeElement {
    /// Its index in the Slurm array.
    pub index: u32,
    /// Its number among the elements of all Slurm arrays of the submission.
    pub number: u64,
    /// The item whose value is needed, if it is a single one.
    pub item: Option<u64>,
}

/// What jobs can wait for: a [`Job`] or a [`JobArray`].
///
/// An array is one dependency, whatever the number of its elements. A `&dyn Awaitable` is what
/// [`as_completed`](crate::as_completed) and [`wait_any`](crate::wait_any) take.
pub trait Awaitable: sealed::Sealed {}

impl<T> Awaitable for Job<T> {}
impl<T> Awaitable for JobArray<T> {}

pub(crate) mod sealed {
    use std::sync::Arc;

    use super::{DependencyKind, Edge, Job, JobArray};
    use crate::cluster::Cluster;
    use crate::poll::Subject;

    pub trait Sealed {
        /// Returns the dependency edges for this.
        #[doc(hidden)]
        fn edges(&self, kind: DependencyKind) -> Vec<Edge>;

        #[doc(hidden)]
        fn watched(&self) -> Watched<'_>;
    }

    /// What is needed to wait for something.
    #[derive(Debug)]
    pub struct Watched<'a> {
        pub(crate) cluster: &'a Cluster,
        pub(crate) task: &'a str,
        pub(crate) subject: Arc<dyn Subject>,
    }

    impl<T> Sealed for Job<T> {
        fn edges(&self, kind: DependencyKind) -> Vec<Edge> {
            vec![Edge::new(kind, self)]
        }

        fn watched(&self) -> Watched<'_> {
            let task = &self.handle().task;
            Watched { cluster: self.cluster(), task, subject: self.subject() }
        }
    }

    impl<T> Sealed for JobArray<T> {
        fn edges(&self, kind: DependencyKind) -> Vec<Edge> {
            self.reference().edges(kind)
        }

        fn watched(&self) -> Watched<'_> {
            let task = &self.handle().task;
            Watched { cluster: self.cluster(), task, subject: self.subject() }
        }
    }
}

impl Edge {
    pub(crate) fn new<U>(kind: DependencyKind, job: &Job<U>) -> Self {
        Self {
            kind: kind.as_str().to_owned(),
            job: job.id(),
            minutes: None,
            task: job.handle().task.clone(),
            dir: job.handle().dir.clone(),
            backend: job.cluster().backend().place(),
            items: None,
            carries_result: false,
            element: None,
            known_at: job.known_at(),
            ended_as: job.ended_as(),
            elements: None,
            is_planned: job.cluster().is_planned(),
        }
    }

    /// Returns whether both are Slurm arrays of one submission.
    fn is_beside(&self, other: &Self) -> bool {
        self.dir == other.dir && self.job != other.job
    }

    /// Returns what sbatch calls that which is waited for.
    pub(crate) fn target(&self) -> String {
        match self.element {
            Some(element) => format!("{}_{}", self.job, element.index),
            None => self.job.to_string(),
        }
    }

    /// Returns the edge of an argument that is the job's result, or one of its results.
    pub(crate) fn carrying(self) -> Self {
        Self { carries_result: true, ..self }
    }

    /// Returns a problem if jobs of `cluster` with these options cannot depend on the job.
    pub(crate) fn not_of(&self, cluster: &Cluster, options: &OptionSet) -> Option<String> {
        let Self { job, task, dir, .. } = self;
        if self.is_planned && !cluster.is_planned() && !cluster.is_dry_run() {
            return Some(format!(
                "the job of `{task}` is one of a dry run or a plan, so no job can wait for it"
            ));
        }
        let cluster = &cluster.for_options(options);
        let backend = cluster.backend();
        // Each job base directory of the embedded backend has job ids of its own.
        let fits = self.backend == backend.place()
            && (self.backend != "local"
                || self.dir.starts_with(backend.job_base_dir())
                || self.dir.starts_with(cluster.jobs_dir()));
        let dir = dir.display();
        (!fits).then(|| format!("job {job} ({task}) in {dir} belongs to another cluster, so no job here can wait for it"))
    }
}

macro_rules! waits {
    ($($builder:ty)*) => {$(
        /// What the job waits for, beside the jobs whose results it takes.
        impl<T: Task> $builder {
            /// Runs the job only after `job` has succeeded: all of it, if it is an array. If that fails, this
            /// one ends as [`DependencyFailed`](crate::JobErrorKind::DependencyFailed). Of an array of which some
            /// items are tried again while others run for the first time, all have to have ended, and those
            /// that are tried again have to have succeeded.
            pub fn after(mut self, job: &impl Awaitable) -> Self {
                self.options.edges.extend(job.edges(DependencyKind::AfterOk));
                self
            }

            /// Runs the job after `job` has ended, however it ended.
            pub fn after_any(mut self, job: &impl Awaitable) -> Self {
                self.options.edges.extend(job.edges(DependencyKind::AfterAny));
                self
            }

            /// Runs the job only after `job` has failed; an array has if any element has. One that takes several
            /// Slurm arrays cannot be waited for like this.
            pub fn after_not_ok(mut self, job: &impl Awaitable) -> Self {
                self.options.edges.extend(job.edges(DependencyKind::AfterNotOk));
                self
            }

            /// Runs the job once `job` has started, `delay` later; Slurm counts in minutes, rounded up.
            pub fn after_start(mut self, job: &impl Awaitable, delay: Duration) -> Self {
                let minutes = Some(delay.as_secs().div_ceil(60)).filter(|minutes| *minutes > 0);
                let edges = job.edges(DependencyKind::After).into_iter();
                self.options.edges.extend(edges.map(|edge| Edge { minutes, ..edge }));
                self
            }

            /// Runs the job only while no other job of the same name and user runs.
            pub fn singleton(self) -> Self {
                self.set("dependency", "singleton")
            }
        }
    )*};
}

waits!(JobBuilder<T> ArrayBuilder<'_, T>);

/// Makes the options say what the job waits for.
pub(crate) fn add_to(set: &mut OptionSet, edges: &[Edge]) -> Result<(), String> {
    if edges.is_empty() {
        return Ok(());
    }
    let of_failure = |edge: &&Edge| edge.kind == DependencyKind::AfterNotOk.as_str();
    let failing = edges.iter().filter(of_failure);
    if let Some(edge) =
        failing.clone().find(|edge| failing.clone().any(|other| edge.is_beside(other)))
    {
        return Err(format!(
            "the array in {} consists of several Slurm arrays, and Slurm can wait until all of them have failed, but not until any has: use `after_any`, and let the job check the results",
            edge.dir.display()
        ));
    }
    let mut dependency = written(edges);
    if let Some(OptionValue::Value(given)) = set.get("dependency") {
        if given.contains('?') {
            return Err(format!(
                "`dependency = \"{given}\"` is met by any of its jobs, but this job needs {dependency} as well: join them with `,`"
            ));
        }
        dependency = format!("{dependency},{given}");
    }
    set.put("dependency", dependency, Source::CallSite)
        .and_then(|()| match set.get("kill_on_invalid_dep") {
            // Otherwise the job would stay in the queue when its dependency cannot be met any more.
            None => set.put("kill_on_invalid_dep", "yes", Source::Default),
            Some(_) => Ok(()),
        })
        .map_err(|error| error.to_string())
}

/// Returns the edges as sbatch takes them.
fn written(edges: &[Edge]) -> String {
    let item = |edge: &Edge| match edge.minutes {
        Some(minutes) => format!("{}:{}+{minutes}", edge.kind, edge.target()),
        None => format!("{}:{}", edge.kind, edge.target()),
    };
    let mut items: Vec<String> = edges.iter().map(item).collect();
    items.sort_unstable();
    items.dedup();
    items.join(",")
}

/// Replaces the edges `before`, which [`add_to`] has added to the options, by `now`. Other dependencies stay.
/// Returns `None` if they do not.
pub(crate) fn replace(set: &mut OptionSet, before: &[Edge], now: &[Edge]) -> Option<()> {
    let spec = options::lookup("dependency").ok()?;
    let Some(OptionValue::Value(all)) = set.get("dependency") else { return None };
    let canonical = |text: &str| match spec.parse(text).ok()? {
        OptionValue::Value(text) => Some(text),
        _ => None,
    };
    let rest = all.strip_prefix(&*canonical(&written(before))?)?;
    let rest = if rest.is_empty() { rest } else { rest.strip_prefix(',')? };
    let now = written(now);
    let parts = [&*now, rest].into_iter().filter(|part| !part.is_empty());
    let value = match parts.collect::<Vec<_>>().join(",") {
        none if none.is_empty() => OptionValue::Unset,
        some => spec.parse(&some).ok()?,
    };
    set.set(spec, value, Source::CallSite);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_need_not_be_waited_for_is_taken_out() {
        let edge = |kind: DependencyKind, job: u32| Edge {
            kind: kind.as_str().to_owned(),
            job: JobId::new(job).unwrap(),
            minutes: None,
            task: String::new(),
            dir: PathBuf::new(),
            backend: String::new(),
            items: None,
            carries_result: false,
            element: None,
            known_at: None,
            ended_as: None,
            elements: None,
            is_planned: false,
        };
        let both = [edge(DependencyKind::AfterOk, 7), edge(DependencyKind::AfterAny, 8)];
        let after = |given: Option<&str>, now: &[Edge]| {
            let mut set = OptionSet::new();
            if let Some(given) = given {
                set.put("dependency", given, Source::CallSite).unwrap();
            }
            add_to(&mut set, &both).unwrap();
            replace(&mut set, &both, now).unwrap();
            set.get("dependency").and_then(OptionValue::as_str).map(str::to_owned)
        };
        assert_eq!(after(None, &both[..1]).as_deref(), Some("afterok:7"));
        assert_eq!(after(None, &[]), None);
        assert_eq!(after(Some("singleton"), &[]).as_deref(), Some("singleton"));
        let left = after(Some("afterany:9"), &both[1..]);
        assert_eq!(left.as_deref(), Some("afterany:8,afterany:9"));
    }
}
