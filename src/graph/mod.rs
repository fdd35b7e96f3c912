//! Pictures of jobs and of what they wait for.
//!
//! | file | holds |
//! |---|---|
//! | `read` | the graph of a workflow that runs or has run, from its directory |
//! | `plan` | the graph of one that is only asked what it would submit |
//! | `cost` | what a job asks for |
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

/// Jobs, and what they wait for.
///
/// [`Job::graph`](crate::Job::graph) returns that of a workflow which runs or has run, with the states;
/// [`Plan::graph`] that of one which would run. `serde` writes it as JSON, as [`to_json`](Self::to_json) does.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Graph {
    /// The jobs: a workflow before what it has submitted, and these in the order of their submission.
    pub nodes: Vec<GraphNode>,
    /// What they wait for.
    pub edges: Vec<GraphEdge>,
}

/// A job in a [`Graph`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GraphNode {
    /// What edges call it: the submission's id, or `job-ID` for a job that is not part of the workflow.
    pub id: String,
    /// The job's id, if it has one.
    pub job: Option<JobId>,
    /// The task's name.
    pub task: String,
    /// The state as of now, if it is known.
    pub state: Option<JobState>,
    /// The [`id`](Self::id) of the workflow that submitted it.
    pub within: Option<String>,
    /// How many calls it makes, if it is an array.
    pub items: Option<u64>,
    /// How many Slurm array tasks that takes.
    pub elements: Option<u64>,
    /// Whether it is a workflow itself.
    pub is_workflow: bool,
    /// The CPUs that it asks for, each element if it is an array, or `None` if that depends on the cluster.
    pub cpus: Option<u64>,
    /// Its time limit in seconds, or `None` without one.
    pub time_limit: Option<u64>,
}

/// What one job waits for, in a [`Graph`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct GraphEdge {
    /// The [`id`](GraphNode::id) of the job that is waited for.
    pub from: String,
    /// That of the job that waits.
    pub to: String,
    /// What must have happened to the former.
    #[serde(with = "crate::model::word")]
    pub kind: DependencyKind,
    /// Whether the latter takes its result.
    pub carries_result: bool,
}

/// What jobs ask for, as if each ran until its time limit.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct CoreHours {
    /// CPUs times hours, of the jobs that can be counted.
    pub total: f64,
    /// How many jobs are left out because they have no time limit, or because the cluster decides how many CPUs
    /// they get.
    pub uncounted: usize,
}

impl Graph {
    /// Adds an edge, unless it is there: an array may be several for Slurm, and a job be waited for twice.
    fn connect(&mut self, edge: GraphEdge) {
        let same = |known: &&mut GraphEdge| {
            (&known.from, &known.to, &known.kind) == (&edge.from, &edge.to, &edge.kind)
        };
        match self.edges.iter_mut().rev().find(same) {
            Some(known) => known.carries_result |= edge.carries_result,
            None => self.edges.push(edge),
        }
    }

    /// Returns the graph in the language of Graphviz: `dot -Tsvg`.
    pub fn to_dot(&self) -> String {
        draw::dot(self)
    }

    /// Returns the graph in the language of Mermaid, which many sites show in Markdown.
    pub fn to_mermaid(&self) -> String {
        draw::mermaid(self)
    }

    /// Returns the graph as JSON, for other tools.
    pub fn to_json(&self) -> String {
        // Strings, numbers and lists, which always have a form in JSON.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Returns what the jobs ask for, as if each ran until its time limit.
    ///
    /// Workflows are counted too: they hold what they asked for while they wait.
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
