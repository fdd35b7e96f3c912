//! Plans of workflows.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use slurm_core::context::JobContext;
use slurm_core::ids::JobId;
use slurm_core::spec::Argument;
use slurm_core::task::{Arguments, Task, TaskEntry, TaskKind};

use super::{CoreHours, Graph, GraphEdge, read};
use crate::builder::JobBuilder;
use crate::cluster::{Cluster, Ledger};
use crate::error::{Error, Result};
use crate::model::Explanation;
use crate::open::ClusterBuilder;
use crate::workflow::planned;

/// The jobs that a workflow would submit, as far as they can be known without running any.
///
/// `pipeline::plan(…)` and [`JobBuilder::plan`] call the workflow's function in this process. Its
/// [`Workflow`](crate::Workflow) records submissions and submits nothing. If the function asks for a result, or
/// for anything else that only a real job has, it gets [`Error::Planned`]. A function that returns this error
/// with `?` ends there, and so does the plan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Plan {
    /// The workflow and its jobs, without states.
    pub graph: Graph,
    /// The task of the first job whose result was needed. Later submissions may be missing.
    pub stopped_at: Option<String>,
}

impl Plan {
    /// Returns the resources that the jobs of the plan ask for; see [`Graph::core_hours`].
    pub fn core_hours(&self) -> CoreHours {
        self.graph.core_hours()
    }

    /// Returns the graph in the language of Graphviz.
    pub fn to_dot(&self) -> String {
        self.graph.to_dot()
    }

    /// Returns the graph in the language of Mermaid.
    pub fn to_mermaid(&self) -> String {
        self.graph.to_mermaid()
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CoreHours { total, uncounted } = self.core_hours();
        write!(f, "{} jobs, at most {total:.1} core hours", self.graph.nodes.len())?;
        if uncounted > 0 {
            write!(f, ", not counting {uncounted} without a time limit or a number of CPUs")?;
        }
        match &self.stopped_at {
            Some(task) => write!(f, "; there may be more once `{task}` has a result"),
            None => Ok(()),
        }
    }
}

impl<T: Task> JobBuilder<T> {
    /// Returns the jobs that the workflow would submit to `cluster`, and submits nothing. The function is
    /// called in this process, with all its other effects.
    ///
    /// # Errors
    /// If the call or one of the workflow's calls is wrong, or if the function fails for another reason than
    /// missing results.
    pub fn plan(self, cluster: &impl AsRef<Cluster>) -> Result<Plan> {
        let cluster = cluster.as_ref();
        let planner = Arc::new(Planner::default());
        let base = cluster.job_base_dir().join(".plan");
        let cluster = planning(cluster, &planner, base, None);
        self.submit(&cluster)?;
        let notes = std::mem::take(&mut *planner.lock());
        Ok(Plan { graph: notes.graph, stopped_at: notes.stopped_at })
    }
}

/// Plans on the cluster that the environment variables name; for the macro's `plan`.
pub fn plan_from_environment<T: Task>(call: JobBuilder<T>) -> Result<Plan> {
    call.plan(&ClusterBuilder::from_env()?.build()?)
}

/// Collects the submissions of a plan.
#[derive(Debug, Default)]
struct Planner {
    notes: Mutex<Notes>,
}

#[derive(Debug, Default)]
struct Notes {
    graph: Graph,
    stopped_at: Option<String>,
    /// The number of workflows around the one that is being planned.
    depth: usize,
}

/// The limit of nested workflows. Without it, a workflow that submits itself would be planned without end.
const DEEPEST: usize = 32;

impl Planner {
    fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that the plan needs something that only a real job has.
    fn stop_at(&self, task: &str) -> Error {
        let task = task.to_owned();
        self.lock().stopped_at.get_or_insert_with(|| task.clone());
        Error::Planned { task }
    }
}

/// The ledger of a plan, which records what would be submitted.
#[derive(Debug)]
struct Planning {
    planner: Arc<Planner>,
    /// The directory that the workflow would have.
    dir: PathBuf,
    /// The id of the workflow's node in the graph.
    within: Option<String>,
}

impl Ledger for Planning {
    fn jobs_dir(&self, _: &Path) -> PathBuf {
        self.dir.join("tasks")
    }

    fn may_submit_inside_jobs(&self) -> bool {
        true
    }

    fn sends(&self) -> bool {
        false
    }

    fn is_planned(&self) -> bool {
        true
    }

    fn only_planned(&self, task: &str) -> Option<Error> {
        Some(self.planner.stop_at(task))
    }

    /// Records a submission. If the task is a workflow, also calls its function and records its submissions.
    /// Workflows that are items of an array are not called.
    fn record(
        &self,
        cluster: &Cluster,
        explanation: &Explanation,
        entry: &TaskEntry,
        arguments: Option<&[Argument]>,
    ) -> Result<Option<(JobId, Cluster)>> {
        let job_id = note(&self.planner, self.within.as_deref(), explanation, entry);
        if let Some(arguments) = arguments.filter(|_| entry.kind == TaskKind::Workflow) {
            let id = explanation.submission_id.to_string();
            let inner = planning(cluster, &self.planner, explanation.dir.clone(), Some(id));
            call_workflow(&self.planner, inner, entry, arguments)?;
        }
        Ok(Some((job_id, cluster.clone())))
    }
}

/// Returns the cluster for a plan. The jobs of the workflow `within` are below `dir`.
fn planning(
    cluster: &Cluster,
    planner: &Arc<Planner>,
    dir: PathBuf,
    within: Option<String>,
) -> Cluster {
    let planner = Arc::clone(planner);
    cluster.for_planned(Arc::new(Planning { planner, dir, within }))
}

/// Adds a node, and returns a number for its job within the plan.
fn note(
    planner: &Planner,
    within: Option<&str>,
    explanation: &Explanation,
    entry: &TaskEntry,
) -> JobId {
    let mut notes = planner.lock();
    let node = read::node(explanation, None, within, entry.kind == TaskKind::Workflow);
    for edge in &explanation.after {
        let from = edge.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        notes.graph.connect(GraphEdge {
            from,
            to: node.id.clone(),
            kind: edge.kind,
            carries_result: edge.carries_result,
        });
    }
    notes.graph.nodes.push(node);
    let number = u32::try_from(notes.graph.nodes.len()).unwrap_or(u32::MAX);
    JobId::new(number).unwrap_or(FIRST)
}

const FIRST: JobId = match JobId::new(1) {
    Some(id) => id,
    // Evaluated by the compiler: the number is not 0.
    None => unreachable!(),
};

/// Calls the function of a workflow with `cluster` as the place of its submissions.
fn call_workflow(
    planner: &Planner,
    cluster: Cluster,
    entry: &TaskEntry,
    arguments: &[Argument],
) -> Result<()> {
    let inline = |argument: &Argument| match argument {
        Argument::Inline(bytes) => Some(bytes.clone()),
        _ => None,
    };
    let Some(encoded) = arguments.iter().map(inline).collect::<Option<Vec<_>>>() else {
        // An argument is the result of another job.
        planner.stop_at(entry.name);
        return Ok(());
    };
    if planner.lock().depth == DEEPEST {
        return Err(Error::PlanFailed {
            task: entry.name.to_owned(),
            reason: format!("workflows are nested more than {DEEPEST} deep"),
        });
    }
    planner.lock().depth += 1;
    let stopped_before = planner.lock().stopped_at.is_some();
    let slices: Vec<&[u8]> = encoded.iter().map(Vec::as_slice).collect();
    let context = JobContext::outside(cluster.jobs_dir());
    let called = planned::call(cluster, || {
        catch_unwind(AssertUnwindSafe(|| (entry.run)(&context, Arguments::new(&slices))))
    });
    planner.lock().depth -= 1;
    let reason = match called {
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(failure)) => failure.to_string(),
        Err(_) => "it panicked".to_owned(),
    };
    // The missing result is the likely reason.
    if stopped_before || planner.lock().stopped_at.is_some() {
        return Ok(());
    }
    Err(Error::PlanFailed { task: entry.name.to_owned(), reason })
}
