//! Graphs of workflows before, during and after their run.

use std::path::Path;

use slurm::{Graph, JobState, Workflow};

use crate::common::{Site, error_of, result_of, until};
use crate::tasks::{add, parse, square, sum, wait_for};

trials![
    both a_graph_shows_what_a_workflow_submitted,
    both a_graph_of_a_running_workflow_has_states,
    both a_graph_marks_edges_that_carry_results_of_arrays,
    local a_plan_shows_what_would_be_submitted,
    local a_plan_ends_where_a_result_is_needed,
    local a_plan_of_a_wrong_call_is_an_error,
    local a_single_job_has_a_graph_too,
    local a_plan_counts_the_elements_of_arrays,
    local several_slurm_arrays_are_one_edge,
];

/// Submits three jobs, and one that takes the results of two and waits for the third.
#[slurm::workflow(time = "10:00", mem = "256M")]
fn diamond(flow: &Workflow, text: &str) -> slurm::Result<i64> {
    let left = parse::job(text).submit(flow)?;
    let right = parse::job("2").time("30:00").cpus_per_task(2).submit(flow)?;
    let third = add::job(1, 1).submit(flow)?;
    let joined = add::job(&left, &right).after_any(&third).time("1:00:00").submit(flow)?;
    joined.result()
}

/// Returns the short names of the tasks, in the order of the graph.
fn tasks(graph: &Graph) -> Vec<&str> {
    graph.nodes.iter().map(|node| node.task.rsplit("::").next().unwrap()).collect()
}

/// Returns the edges as positions of both jobs, kind, and whether they carry a result.
fn edges(graph: &Graph) -> Vec<(usize, usize, &str, bool)> {
    let position = |id: &str| graph.nodes.iter().position(|node| node.id == id).unwrap();
    let mut edges: Vec<_> = graph
        .edges
        .iter()
        .map(|edge| {
            (position(&edge.from), position(&edge.to), edge.kind.as_str(), edge.carries_result)
        })
        .collect();
    edges.sort_unstable();
    edges
}

const DIAMOND: &[(usize, usize, &str, bool)] =
    &[(1, 4, "afterok", true), (2, 4, "afterok", true), (3, 4, "afterany", false)];

fn states(graph: &Graph) -> Vec<Option<JobState>> {
    graph.nodes.iter().map(|node| node.state.clone()).collect()
}

fn a_graph_shows_what_a_workflow_submitted(site: &Site) {
    let job = diamond::job("1").submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 3);
    let graph = job.graph().unwrap();
    assert_eq!(tasks(&graph), ["diamond", "parse", "parse", "add", "add"]);
    assert_eq!(edges(&graph), DIAMOND);
    assert_eq!(states(&graph), vec![Some(JobState::Completed); 5]);
    let own = job.submission_id().as_str();
    assert!(graph.nodes[1..].iter().all(|node| node.within.as_deref() == Some(own)));
    let json: serde_json::Value = serde_json::from_str(&graph.to_json()).unwrap();
    assert_eq!(json["nodes"][0]["job"], job.id().get());
    assert_eq!(json["nodes"][4]["time_limit"], 3600);
    // One of the workflow's jobs fails.
    let job = diamond::job("x").submit(&site.cluster).unwrap();
    error_of(&job);
    let graph = site.cluster.attach::<diamond>(job.submission_id()).unwrap().graph().unwrap();
    let states = states(&graph);
    assert_eq!((&states[0], &states[1]), (&Some(JobState::Failed), &Some(JobState::Failed)));
    assert_eq!(states[2], Some(JobState::Completed));
    assert!(graph.to_mermaid().contains("failed\"]:::failed"), "{}", graph.to_mermaid());
}

#[slurm::workflow(time = "10:00")]
fn waiting(flow: &Workflow, file: &Path) -> slurm::Result<i64> {
    let first = wait_for::job(file).submit(flow)?;
    let second = add::job(1, 2).after(&first).submit(flow)?;
    second.result()
}

fn a_graph_of_a_running_workflow_has_states(site: &Site) {
    let file = site.path("go");
    let job = waiting::job(file.as_path()).submit(&site.cluster).unwrap();
    let expected = [Some(JobState::Running), Some(JobState::Running), Some(JobState::Pending)];
    until("one runs and one waits", || states(&job.graph().unwrap()) == expected);
    assert!(job.graph().unwrap().to_dot().contains("pending"), "{}", job.graph().unwrap().to_dot());
    std::fs::write(&file, "").unwrap();
    assert_eq!(result_of(&job), 3);
}

/// Needs no result, so the plan is complete.
#[slurm::workflow(time = "2:00:00")]
fn static_part(flow: &Workflow, count: i64) -> slurm::Result<()> {
    let mut last = add::job(0, 1).submit(flow)?;
    for n in 1..count {
        last = add::job(&last, n).submit(flow)?;
    }
    Ok(())
}

#[slurm::workflow(time = "UNLIMITED")]
fn outer(flow: &Workflow) -> slurm::Result<i64> {
    static_part::job(3).submit(flow)?;
    let total = add::job(1, 2).submit(flow)?.result()?;
    add::job(total, 1).submit(flow)?.result()
}

fn a_plan_shows_what_would_be_submitted(site: &Site) {
    let plan = static_part::job(4).plan(&site.cluster).unwrap();
    assert_eq!(tasks(&plan.graph), ["static_part", "add", "add", "add", "add"]);
    assert_eq!(
        edges(&plan.graph),
        [(1, 2, "afterok", true), (2, 3, "afterok", true), (3, 4, "afterok", true)]
    );
    assert_eq!(plan.stopped_at, None);
    // Two hours for the workflow, and five minutes for each of four jobs.
    let hours = plan.core_hours();
    assert!((hours.total - (2.0 + 4.0 / 12.0)).abs() < 1e-9 && hours.uncounted == 0, "{plan}");
    assert_eq!(states(&plan.graph), vec![None; 5]);
    assert!(site.submissions().is_empty(), "nothing was submitted");
}

fn a_plan_ends_where_a_result_is_needed(site: &Site) {
    let plan = outer::job().plan(&site.cluster).unwrap();
    assert_eq!(tasks(&plan.graph), ["outer", "static_part", "add", "add", "add", "add"]);
    let inner = &plan.graph.nodes[1].id;
    assert!(plan.graph.nodes[2..5].iter().all(|node| node.within.as_ref() == Some(inner)));
    assert_eq!(plan.stopped_at.as_deref(), Some("jobs::support::tasks::add"));
    assert_eq!(plan.core_hours().uncounted, 1, "the outer workflow has no limit");
    let text = plan.to_string();
    assert!(text.contains("not counting 1") && text.contains("there may be more"), "{text}");
}

fn a_plan_of_a_wrong_call_is_an_error(site: &Site) {
    let error = static_part::job(2).set("tiem", "1").plan(&site.cluster).unwrap_err();
    assert!(error.to_string().contains("did you mean `time`"), "{error}");
    let error = failing::job().plan(&site.cluster).unwrap_err();
    assert!(error.to_string().ends_with("failing` cannot be planned: no luck"), "{error}");
}

#[slurm::workflow]
fn failing(_flow: &Workflow) -> Result<(), String> {
    Err("no luck".to_owned())
}

fn a_single_job_has_a_graph_too(site: &Site) {
    let first = add::job(1, 2).submit(&site.cluster).unwrap();
    let second = add::job(&first, 2).submit(&site.cluster).unwrap();
    result_of(&second);
    let graph = second.graph().unwrap();
    assert_eq!((tasks(&graph), edges(&graph)), (vec!["add", "add"], vec![(1, 0, "afterok", true)]));
    assert_eq!(states(&graph), [Some(JobState::Completed), Some(JobState::Completed)]);
}

#[slurm::workflow(time = "1:00:00")]
fn sweep(flow: &Workflow) -> slurm::Result<()> {
    let squares = square::map(0..10).chunk(5).submit(flow)?;
    let one = square::job(squares.item(3)).submit(flow)?;
    sum::job(&squares).after(&one).submit(flow)?;
    // The next array depends on these results.
    let best = squares.results()?;
    square::map(best).submit(flow)?;
    Ok(())
}

fn a_plan_counts_the_elements_of_arrays(site: &Site) {
    let plan = sweep::job().plan(&site.cluster).unwrap();
    assert_eq!(tasks(&plan.graph), ["sweep", "square", "square", "sum"]);
    let array = &plan.graph.nodes[1];
    assert_eq!((array.items, array.elements), (Some(10), Some(2)));
    assert_eq!(plan.stopped_at.as_deref(), Some("jobs::support::tasks::square"));
    // An hour for the workflow, and five minutes for each of two elements and two jobs.
    assert!((plan.core_hours().total - (1.0 + 4.0 / 12.0)).abs() < 1e-9, "{plan}");
    assert!(plan.to_mermaid().contains("square #215; 10"), "{}", plan.to_mermaid());
}

/// Submits arrays that wait for jobs, take results, and do both.
#[slurm::workflow(time = "10:00", mem = "256M")]
fn arrays_in_a_row(flow: &Workflow) -> slurm::Result<i64> {
    let first = add::job(1, 2).submit(flow)?;
    let squares = square::map(0..4).after(&first).submit(flow)?;
    let again = square::map(&squares).after_any(&first).submit(flow)?;
    let total = sum::job(&again).after(&squares).submit(flow)?;
    square::job(squares.item(1)).submit(flow)?.result()?;
    total.result()
}

const ARRAYS_IN_A_ROW: &[(usize, usize, &str, bool)] = &[
    (1, 2, "afterok", false),
    (1, 3, "afterany", false),
    (2, 3, "aftercorr", true),
    (2, 4, "afterok", false),
    (2, 5, "afterok", true),
    (3, 4, "afterok", true),
];

fn a_graph_marks_edges_that_carry_results_of_arrays(site: &Site) {
    let job = arrays_in_a_row::job().submit(&site.cluster).unwrap();
    assert_eq!(result_of(&job), 1 + 16 + 81);
    let graph = job.graph().unwrap();
    assert_eq!(tasks(&graph), ["arrays_in_a_row", "add", "square", "square", "sum", "square"]);
    assert_eq!(edges(&graph), ARRAYS_IN_A_ROW);
    let plan = arrays_in_a_row::job().plan(&site.cluster).unwrap();
    assert_eq!(edges(&plan.graph), ARRAYS_IN_A_ROW);
}

/// Submits an array with more elements than a Slurm array may have, and a job that takes its values.
#[slurm::workflow(time = "10:00")]
fn more_than_an_array(flow: &Workflow) -> slurm::Result<()> {
    let squares = square::map(0..1100).chunk(1).submit(flow)?;
    sum::job(&squares).submit(flow)?;
    square::map(0..2).after(&squares).submit(flow)?;
    Ok(())
}

fn several_slurm_arrays_are_one_edge(site: &Site) {
    let plan = more_than_an_array::job().plan(&site.cluster).unwrap();
    let expected = [(1, 2, "afterok", true), (1, 3, "afterok", false)];
    assert_eq!(edges(&plan.graph), expected);
}
