//! Whether a job can run beside another one.

use std::collections::HashMap;

use slurm_core::ids::JobId;
use slurm_core::options::HostList;

use super::{Slurm, question, refused};
use crate::error::Error;

/// What squeue says of a job.
#[derive(Debug)]
struct Wish {
    waits_for_resources: bool,
    cpus: u64,
    nodes: u64,
    is_exclusive: bool,
    may_share: bool,
    partition: String,
    /// The nodes that it runs on.
    on: Vec<String>,
    /// The nodes that it has to have.
    required: Vec<String>,
}

/// Returns why `job` can never run while `other` does, as far as CPUs and whole nodes tell. Everything else
/// that a job may wait for is left out, so silence means nothing.
pub(super) fn none_beside(
    slurm: &Slurm,
    job: JobId,
    other: JobId,
) -> Result<Option<String>, Error> {
    let mut wishes = wishes(slurm, &[job, other])?;
    let (Some(job), Some(other)) = (wishes.remove(&job), wishes.remove(&other)) else {
        return Ok(None);
    };
    if !job.waits_for_resources || job.may_share || job.partition.contains(',') {
        return Ok(None);
    }
    let mut nodes = nodes(slurm, &job.partition)?;
    if !job.required.is_empty() {
        nodes.retain(|node, _| job.required.contains(node));
    }
    Ok(conflict(&job, &other, &nodes))
}

/// Compares what a job needs with what `nodes` have while the other one runs.
fn conflict(job: &Wish, other: &Wish, nodes: &HashMap<String, u64>) -> Option<String> {
    let shared: Vec<&String> = other.on.iter().filter(|node| nodes.contains_key(*node)).collect();
    if shared.is_empty() || nodes.is_empty() {
        return None;
    }
    let partition = &job.partition;
    if job.is_exclusive {
        let left = nodes.len() - shared.len();
        return (job.nodes > left as u64).then(|| {
            format!(
                "it needs {} whole nodes, and this workflow runs on {} of the {} nodes that it could have in partition {partition}",
                job.nodes, shared.len(), nodes.len()
            )
        });
    }
    let held = other.cpus / (other.on.len() as u64).max(1);
    let total: u64 = nodes.values().sum();
    let left = |name: &String, cpus: u64| {
        if shared.contains(&name) { cpus.saturating_sub(held) } else { cpus }
    };
    let (most, what) = if job.nodes == 1 {
        let largest = nodes.iter().map(|(name, cpus)| left(name, *cpus)).max().unwrap_or(0);
        (largest, "on one node ")
    } else {
        (nodes.iter().map(|(name, cpus)| left(name, *cpus)).sum(), "")
    };
    (job.cpus > most).then(|| {
        format!(
            "it needs {} CPUs {what}and can have at most {most} in partition {partition} (of {total}) while this workflow holds {}",
            job.cpus, other.cpus
        )
    })
}

fn wishes(slurm: &Slurm, jobs: &[JobId]) -> Result<HashMap<JobId, Wish>, Error> {
    let list = jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let command =
        question("squeue").args(["-h", "-o", "%A|%T|%r|%C|%D|%h|%P|%N|%n", "-j"]).arg(list);
    let output = slurm.query(&command)?;
    if !output.status.success() {
        return Err(refused(&command, &output));
    }
    Ok(output.stdout.lines().filter_map(wish).collect())
}

fn wish(line: &str) -> Option<(JobId, Wish)> {
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let [id, state, reason, cpus, nodes, share, partition, on, required] = fields[..] else {
        return None;
    };
    let hosts = |list: &str| {
        list.parse::<HostList>().ok().and_then(|list| list.hosts().ok()).unwrap_or_default()
    };
    let wish = Wish {
        waits_for_resources: state == "PENDING" && ["Resources", "Priority"].contains(&reason),
        cpus: cpus.parse().ok()?,
        // `2-4` for a range.
        nodes: nodes.split('-').next()?.parse().ok()?,
        is_exclusive: share == "NO",
        may_share: share == "YES",
        partition: partition.to_owned(),
        on: hosts(on),
        required: hosts(required),
    };
    Some((id.parse().ok()?, wish))
}

/// The nodes of a partition with their CPUs, whatever their state: what is down may come back.
fn nodes(slurm: &Slurm, partition: &str) -> Result<HashMap<String, u64>, Error> {
    let command = question("sinfo").args(["-h", "-N", "-o", "%N|%c", "-p"]).arg(partition);
    let output = slurm.query(&command)?;
    if !output.status.success() {
        return Err(refused(&command, &output));
    }
    let node = |line: &str| {
        let (name, cpus) = line.split_once('|')?;
        Some((name.trim().to_owned(), cpus.trim().trim_end_matches('+').parse().ok()?))
    };
    Ok(output.stdout.lines().filter_map(node).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conflict_of(job: &str, other: &str) -> Option<String> {
        let nodes = (1..=4).map(|n| (format!("n{n}"), 4)).collect();
        conflict(&wish(job).unwrap().1, &wish(other).unwrap().1, &nodes)
    }

    const WORKFLOW: &str = "7|RUNNING|None|1|1|OK|debug|n1|";

    #[test]
    fn only_what_can_never_be_is_told() {
        let told = |job: &str| conflict_of(job, WORKFLOW).is_some();
        assert!(told("8|PENDING|Resources|16|4|OK|debug||"), "all CPUs of all nodes");
        assert!(!told("8|PENDING|Resources|15|4|OK|debug||"));
        assert!(!told("8|PENDING|Resources|4|1|OK|debug||"), "another node has them");
        assert!(told("8|PENDING|Resources|5|1|OK|debug||"));
        assert!(told("8|PENDING|Resources|4|4|NO|debug||"), "all nodes for itself");
        assert!(!told("8|PENDING|Resources|3|3|NO|debug||"));
    }

    #[test]
    fn a_workflow_elsewhere_is_in_nobodys_way() {
        assert_eq!(
            conflict_of("8|PENDING|Resources|16|4|OK|debug||", "7|RUNNING|None|1|1|OK|other|m1|"),
            None
        );
    }
}
