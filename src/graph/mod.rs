//! Pictures of jobs and their dependencies.
//!
//! | file | holds |
//! |---|---|
//! | `read` | the graph of a workflow that runs or has run, from its directory |
//! | `plan` | the graph of a planned workflow, whose jobs are not submitted |
//! | `cost` | the resources that a job asks for |
//! | `draw` | DOT and Mermaid |

mod cost;
mod draw;
mod plan;
mod read;

use serde::Serialize;
use slurm_core::ids::JobId;
use slurm_core::options::DependencyKind;
use slurm_core::state::JobState;

pub use plan::Plan;
pub use plan::plan_from_environment;

/// Jobs and their dependencies.
///
/// [`Job::graph`](crate::Job::graph) returns the graph of a workflow that runs or has run, with states;
/// [`Plan::graph`] holds the graph of a planned workflow. `serde` writes a graph as JSON, as
/// [`to_json`](Self::to_json) does.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Graph {
    /// The jobs. A workflow comes before its jobs, and these are in the order of their submission.
    pub nodes: Vec<GraphNode>,
    /// The dependencies between the jobs.
    pub edges: Vec<GraphEdge>,
}

/// A job in a [`Graph`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GraphNode {
    /// The id by which edges refer to the job: the submission's id, or `job-ID` for a job that is not part of
    /// the workflow.
    pub id: String,
    /// The job's id, if it has one.
    pub job: Option<JobId>,
    /// The task's name.
    pub task: String,
    /// The state at the time of the request, if it is known.
    pub state: Option<JobState>,
    /// The [`id`](Self::id) of the workflow that submitted it.
    pub within: Option<String>,
    /// The number of calls, if it is an array.
    pub items: Option<u64>,
    /// The number of Slurm array tasks that make these calls.
    pub elements: Option<u64>,
    /// Whether it is a workflow itself.
    pub is_workflow: bool,
    /// The CPUs of the job, or of each element of an array; `None` if the cluster decides.
    pub cpus: Option<u64>,
    /// The time limit in seconds, or `None` if there is none.
    pub time_limit: Option<u64>,
}

/// A dependency in a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GraphEdge {
    /// The [`id`](GraphNode::id) of the upstream job.
    pub from: String,
    /// The [`id`](GraphNode::id) of the job that waits.
    pub to: String,
    /// The condition on the upstream job.
    #[serde(with = "crate::model::word")]
    pub kind: DependencyKind,
    /// Whether the waiting job takes the result of the upstream job.
    pub carries_result: bool,
}

/// The resources that jobs ask for, if each runs until its time limit.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CoreHours {
    /// The sum of CPUs times hours of the jobs that can be counted.
    pub total: f64,
    /// The number of jobs that are not counted, because they have no time limit or because the cluster decides
    /// about their CPUs.
    pub uncounted: usize,
}

impl Graph {
    /// Adds an edge, unless it exists. An array may consist of several Slurm arrays, and a job may name an
    /// upstream twice.
    fn connect(&mut self, edge: GraphEdge) {
        let same = |known: &&mut GraphEdge| {
            (&known.from, &known.to, &known.kind) == (&edge.from, &edge.to, &edge.kind)
        };
        match self.edges.iter_mut().rev().find(same) {
            Some(known) => known.carries_result |= edge.carries_result,
            None => self.edges.push(edge),
        }
    }

    /// Returns the graph in the language of Graphviz (`dot -Tsvg`).
    pub fn to_dot(&self) -> String {
        draw::dot(self)
    }

    /// Returns the graph in the language of Mermaid, which many sites render in Markdown.
    pub fn to_mermaid(&self) -> String {
        draw::mermaid(self)
    }

    /// Returns the graph as JSON, for other tools.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists always have a form in JSON.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Returns the resources that the jobs ask for, if each runs until its time limit.
    ///
    /// Workflows are counted too, because they keep their resources while they wait.
    pub fn core_hours(&self) -> CoreHours {
        let seconds = |node: &GraphNode| Some(node.cpus? as f64 * node.time_limit? as f64);
        let cost =
            |node: &GraphNode| Some(seconds(node)? * node.elements.unwrap_or(1) as f64 / 3600.0);
        let costs: Vec<Option<f64>> = self.nodes.iter().map(cost).collect();
        CoreHours {
            total: costs.iter().flatten().sum(),
            uncounted: costs.iter().filter(|cost| cost.is_none()).count(),
        }
    }

    fn children<'a>(&'a self, of: Option<&'a str>) -> impl Iterator<Item = &'a GraphNode> {
        self.nodes.iter().filter(move |node| node.within.as_deref() == of)
    }
}
