//! The graph of a workflow from its directory: from its journal, and from the `job.json` of each job.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use slurm_core::ids::JobId;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Outcome};
use slurm_core::state::JobState;

use super::{Graph, GraphEdge, GraphNode, cost};
use crate::backend::Asked;
use crate::cancel::children_of;
use crate::cluster::Cluster;
use crate::error::Result;
use crate::job::Job;
use crate::model::{Edge, Explanation};
use crate::submit::workflow::state_dir_of;

impl<T> Job<T> {
    /// Returns the graph of all jobs that this workflow has submitted so far, with their present states. For a
    /// job that is not a workflow, the graph has the job and its upstream jobs.
    ///
    /// Reads the files of each job, and asks the backend once.
    ///
    /// # Errors
    /// If a file cannot be read, or if the backend cannot be asked.
    pub fn graph(&self) -> Result<Graph> {
        self.check_is_real()?;
        let mut reader = Reader {
            cluster: self.cluster(),
            graph: Graph::default(),
            ids: HashMap::new(),
            after: Vec::new(),
        };
        reader.add(&self.dir(), Some(self.id()), None)?;
        reader.finish()
    }
}

struct Reader<'a> {
    cluster: &'a Cluster,
    graph: Graph,
    /// The ids of the nodes by the directories of their jobs.
    ids: HashMap<PathBuf, String>,
    /// The edges of each node.
    after: Vec<(String, Edge)>,
}

impl Reader<'_> {
    /// Adds the job in `dir` and, if it is a workflow, its jobs.
    fn add(&mut self, dir: &JobDir, job: Option<JobId>, within: Option<&str>) -> Result<()> {
        let host = self.cluster.backend().host();
        let text = host.read(&dir.job_json(), 0)?.unwrap_or_default();
        // A description that was not written to its end belongs to a job that was not submitted.
        let Ok(explanation) = serde_json::from_slice::<Explanation>(&text) else { return Ok(()) };
        let state_dir = state_dir_of(self.cluster, dir.path())?;
        let node = node(&explanation, job, within, state_dir.is_some());
        let id = node.id.clone();
        self.ids.insert(dir.path().to_owned(), id.clone());
        self.graph.nodes.push(node);
        self.after.extend(explanation.after.into_iter().map(|edge| (id.clone(), edge)));
        let Some(state_dir) = state_dir else { return Ok(()) };
        for child in children_of(self.cluster, &state_dir)? {
            self.add(&child.dir, child.ids.first().copied(), Some(&id))?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Graph> {
        for (to, edge) in std::mem::take(&mut self.after) {
            let from = self.upstream(&edge);
            let Edge { kind, carries_result, .. } = edge;
            self.graph.connect(GraphEdge { from, to, kind, carries_result });
        }
        let dirs: HashMap<String, PathBuf> = self.ids.drain().map(|(dir, id)| (id, dir)).collect();
        let mut open = Vec::new();
        for node in &mut self.graph.nodes {
            let dir = dirs.get(&node.id).map_or(Path::new(""), PathBuf::as_path);
            node.state = match node.items {
                None => state_in(self.cluster, dir)?,
                Some(_) => self.cluster.array_state(dir)?,
            };
            open.extend(node.job.filter(|_| node.state.is_none()).map(Asked::job));
        }
        if open.is_empty() {
            return Ok(self.graph);
        }
        let mut seen = self.cluster.backend().survey(&open)?.seen;
        for node in self.graph.nodes.iter_mut().filter(|node| node.state.is_none()) {
            node.state = node.job.and_then(|job| seen.remove(&job)).map(|seen| seen.state);
        }
        Ok(self.graph)
    }

    /// Returns the node of an upstream job, which may be outside of the workflow.
    fn upstream(&mut self, edge: &Edge) -> String {
        if let Some(id) = self.ids.get(&edge.dir) {
            return id.clone();
        }
        let id = format!("job-{}", edge.job);
        self.ids.insert(edge.dir.clone(), id.clone());
        self.graph.nodes.push(GraphNode {
            id: id.clone(),
            job: Some(edge.job),
            task: edge.task.clone(),
            state: None,
            within: None,
            items: edge.items,
            elements: None,
            is_workflow: false,
            cpus: None,
            time_limit: None,
        });
        id
    }
}

/// Returns the node of a job from its description.
pub(super) fn node(
    explanation: &Explanation,
    job: Option<JobId>,
    within: Option<&str>,
    is_workflow: bool,
) -> GraphNode {
    GraphNode {
        id: explanation.submission_id.to_string(),
        job,
        task: explanation.task.clone(),
        state: None,
        within: within.map(str::to_owned),
        items: explanation.array.as_ref().map(|array| array.items),
        elements: explanation.array.as_ref().map(|array| array.elements),
        is_workflow,
        cpus: cost::cpus(explanation),
        time_limit: cost::time_limit(explanation),
    }
}

/// Returns the state of a job that has left an outcome.
fn state_in(cluster: &Cluster, dir: &Path) -> Result<Option<JobState>> {
    let result = cluster.backend().host().read(&JobDir::at(dir).result(), 0)?;
    Ok(result.map(|bytes| match Outcome::from_bytes(&bytes) {
        Ok((Outcome { ending: Ending::Value(_), .. }, _)) => JobState::Completed,
        _ => JobState::Failed,
    }))
}
