//! Graphs as DOT and Mermaid.

use std::fmt::Write;

use slurm_core::options::DependencyKind;
use slurm_core::state::JobState;

use super::{Graph, GraphEdge, GraphNode};

/// The appearance of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Look {
    name: &'static str,
    fill: &'static str,
    line: &'static str,
}

const PLANNED: Look = Look { name: "planned", fill: "#ffffff", line: "#8a8a8a" };
const WAITING: Look = Look { name: "waiting", fill: "#eeeeee", line: "#6e6e6e" };
const RUNNING: Look = Look { name: "running", fill: "#cfe4ff", line: "#1f6fc4" };
const COMPLETED: Look = Look { name: "completed", fill: "#d3f0d3", line: "#2d8a2d" };
const FAILED: Look = Look { name: "failed", fill: "#ffd3d0", line: "#c0281e" };
const CANCELLED: Look = Look { name: "cancelled", fill: "#ffe6c2", line: "#c07a12" };
const LOOKS: &[Look] = &[PLANNED, WAITING, RUNNING, COMPLETED, FAILED, CANCELLED];

impl Look {
    fn of(state: Option<&JobState>) -> Self {
        match state {
            None => PLANNED,
            Some(JobState::Completed) => COMPLETED,
            Some(JobState::Cancelled | JobState::Revoked) => CANCELLED,
            Some(state) if state.is_terminal() => FAILED,
            Some(state) if state.is_pending() => WAITING,
            Some(_) => RUNNING,
        }
    }
}

impl GraphNode {
    /// Returns the text of a node: task, job and state.
    fn lines(&self) -> Vec<String> {
        let short = self.task.rsplit("::").next().unwrap_or(&self.task);
        let short = match self.items {
            Some(items) => format!("{short} \u{d7} {items}"),
            None => short.to_owned(),
        };
        let job = self.job.map(|id| format!("job {id}"));
        let state = self.state.as_ref().map(|state| state.as_str().to_lowercase());
        let below: Vec<String> = job.into_iter().chain(state).collect();
        let below = (!below.is_empty()).then(|| below.join(", "));
        [short].into_iter().chain(below).collect()
    }
}

impl Graph {
    fn index(&self, id: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.id == id)
    }

    /// Returns the edges between existing nodes, with the positions of the nodes.
    fn lines(&self) -> impl Iterator<Item = (usize, usize, &GraphEdge)> {
        self.edges
            .iter()
            .filter_map(|edge| Some((self.index(&edge.from)?, self.index(&edge.to)?, edge)))
    }

    /// Returns the label of an edge. The usual kind has none.
    fn label(edge: &GraphEdge) -> Option<&str> {
        (edge.kind != DependencyKind::AfterOk).then(|| edge.kind.as_str())
    }
}

/// Draws nodes, and a frame around the jobs of a workflow.
trait Canvas {
    fn node(&mut self, depth: usize, index: usize, node: &GraphNode);
    fn open(&mut self, depth: usize, index: usize, node: &GraphNode);
    fn close(&mut self, depth: usize);
}

fn draw(graph: &Graph, canvas: &mut impl Canvas, within: Option<&str>, depth: usize) {
    for node in graph.children(within) {
        let Some(index) = graph.index(&node.id) else { continue };
        if node.is_workflow {
            canvas.open(depth, index, node);
            canvas.node(depth + 1, index, node);
            draw(graph, canvas, Some(&node.id), depth + 1);
            canvas.close(depth);
        } else {
            canvas.node(depth, index, node);
        }
    }
}

struct Dot(String);

impl Canvas for Dot {
    fn node(&mut self, depth: usize, index: usize, node: &GraphNode) {
        let look = Look::of(node.state.as_ref());
        let label: Vec<String> = node.lines().iter().map(|line| dot_text(line)).collect();
        let (pad, label) = ("  ".repeat(depth), label.join("\\n"));
        let Look { fill, line, .. } = look;
        let _ = writeln!(
            self.0,
            "{pad}n{index} [label=\"{label}\", fillcolor=\"{fill}\", color=\"{line}\"];"
        );
    }

    fn open(&mut self, depth: usize, index: usize, node: &GraphNode) {
        let pad = "  ".repeat(depth);
        let label = node.lines().into_iter().next().unwrap_or_default();
        let _ = writeln!(self.0, "{pad}subgraph cluster_{index} {{");
        let _ = writeln!(self.0, "{pad}  label=\"{}\"; color=\"#8a8a8a\";", dot_text(&label));
    }

    fn close(&mut self, depth: usize) {
        let _ = writeln!(self.0, "{}}}", "  ".repeat(depth));
    }
}

pub(super) fn dot(graph: &Graph) -> String {
    let mut canvas = Dot("digraph jobs {\n  rankdir=LR; fontname=\"sans-serif\";\n  node [shape=box, style=\"rounded,filled\", fontname=\"sans-serif\"];\n".to_owned());
    draw(graph, &mut canvas, None, 1);
    for (from, to, edge) in graph.lines() {
        let label = Graph::label(edge).map(|kind| format!("label=\"{}\"", dot_text(kind)));
        let style = (!edge.carries_result).then(|| "style=dashed".to_owned());
        let attributes: Vec<String> = label.into_iter().chain(style).collect();
        let attributes = match attributes.as_slice() {
            [] => String::new(),
            some => format!(" [{}]", some.join(", ")),
        };
        let _ = writeln!(canvas.0, "  n{from} -> n{to}{attributes};");
    }
    canvas.0 + "}\n"
}

fn dot_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, " ")
}

struct Mermaid(String);

impl Canvas for Mermaid {
    fn node(&mut self, depth: usize, index: usize, node: &GraphNode) {
        let label: Vec<String> = node.lines().iter().map(|line| mermaid_text(line)).collect();
        let (pad, label) = ("  ".repeat(depth), label.join("<br>"));
        let class = Look::of(node.state.as_ref()).name;
        let _ = writeln!(self.0, "{pad}n{index}[\"{label}\"]:::{class}");
    }

    fn open(&mut self, depth: usize, index: usize, node: &GraphNode) {
        let label = node.lines().into_iter().next().unwrap_or_default();
        let pad = "  ".repeat(depth);
        let _ = writeln!(self.0, "{pad}subgraph w{index} [\"{}\"]", mermaid_text(&label));
    }

    fn close(&mut self, depth: usize) {
        let _ = writeln!(self.0, "{}end", "  ".repeat(depth));
    }
}

pub(super) fn mermaid(graph: &Graph) -> String {
    let mut canvas = Mermaid("flowchart LR\n".to_owned());
    draw(graph, &mut canvas, None, 1);
    for (from, to, edge) in graph.lines() {
        let arrow = if edge.carries_result { "-->" } else { "-.->" };
        let label =
            Graph::label(edge).map(|kind| format!("|{}|", mermaid_text(kind))).unwrap_or_default();
        let _ = writeln!(canvas.0, "  n{from} {arrow}{label} n{to}");
    }
    for Look { name, fill, line } in LOOKS {
        let _ = writeln!(canvas.0, "  classDef {name} fill:{fill},stroke:{line},color:#111111");
    }
    canvas.0
}

/// Mermaid reads `#` as the start of an entity and gives most other signs a meaning of its own.
fn mermaid_text(text: &str) -> String {
    let mut written = String::new();
    for c in text.chars() {
        match c {
            c if c.is_alphanumeric() || " ,._-:".contains(c) => written.push(c),
            c if c.is_control() => written.push(' '),
            c => {
                let _ = write!(written, "#{};", u32::from(c));
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::CoreHours;

    fn node(id: &str, task: &str, within: Option<&str>, state: Option<JobState>) -> GraphNode {
        GraphNode {
            id: id.to_owned(),
            job: None,
            task: task.to_owned(),
            state,
            within: within.map(str::to_owned),
            items: None,
            elements: None,
            is_workflow: within.is_none(),
            cpus: Some(2),
            time_limit: Some(1800),
        }
    }

    fn graph() -> Graph {
        let nodes = vec![
            node("w", "app::flow", None, Some(JobState::Running)),
            node("a", "app::one \"q\"", Some("w"), Some(JobState::Completed)),
            GraphNode { time_limit: None, ..node("b", "app::two", Some("w"), None) },
        ];
        let edge = |kind: DependencyKind, carries_result| GraphEdge {
            from: "a".to_owned(),
            to: "b".to_owned(),
            kind,
            carries_result,
        };
        Graph {
            nodes,
            edges: vec![edge(DependencyKind::AfterOk, true), edge(DependencyKind::AfterAny, false)],
        }
    }

    #[test]
    fn dot_has_frames_colours_and_quoted_labels() {
        let dot = graph().to_dot();
        for line in [
            "  subgraph cluster_0 {",
            "    n0 [label=\"flow\\nrunning\", fillcolor=\"#cfe4ff\", color=\"#1f6fc4\"];",
            "    n1 [label=\"one \\\"q\\\"\\ncompleted\", fillcolor=\"#d3f0d3\", color=\"#2d8a2d\"];",
            "  n1 -> n2;",
            "  n1 -> n2 [label=\"afterany\", style=dashed];",
        ] {
            assert!(dot.lines().any(|found| found == line), "{line} is not in\n{dot}");
        }
    }

    #[test]
    fn mermaid_has_frames_colours_and_quoted_labels() {
        let mermaid = graph().to_mermaid();
        for line in [
            "  subgraph w0 [\"flow\"]",
            "    n1[\"one #34;q#34;<br>completed\"]:::completed",
            "    n2[\"two\"]:::planned",
            "  n1 -.->|afterany| n2",
        ] {
            assert!(mermaid.lines().any(|found| found == line), "{line} is not in\n{mermaid}");
        }
    }

    #[test]
    fn core_hours_count_only_jobs_with_a_limit() {
        assert_eq!(graph().core_hours(), CoreHours { total: 2.0, uncounted: 1 });
    }
}
