//! Finds jobs that can never run beside a workflow.

use std::collections::HashMap;

use slurm_core::ids::JobId;
use slurm_core::options::{HostList, Release};

use super::{Slurm, question, refused};
use crate::backend::Backend;
use crate::error::Error;

/// The resources of a job or a pending element, according to squeue.
#[derive(Debug)]
struct Wish {
    /// Its id, and the id of the array if it is an element.
    id: JobId,
    array: JobId,
    waits_for_resources: bool,
    cpus: u64,
    /// The minimum; the tasks of a job may be spread over more nodes.
    nodes: u64,
    tasks: u64,
    is_exclusive: bool,
    may_share: bool,
    partition: String,
    /// The nodes on which it runs.
    on: Vec<String>,
    /// The nodes that it requires.
    required: Vec<String>,
}

/// Returns which of `jobs` can never run while all of `others` run, with reasons. Only CPUs and whole nodes are
/// considered, so a job that is not returned may still never run.
pub(super) fn none_beside(
    slurm: &Slurm,
    jobs: &[JobId],
    others: &[JobId],
) -> Result<Vec<(JobId, String)>, Error> {
    let wishes = wishes(slurm, jobs.iter().chain(others))?;
    let others: Vec<&Wish> =
        wishes.iter().filter(|wish| others.contains(&wish.id) && !wish.on.is_empty()).collect();
    let mut partitions: HashMap<&str, HashMap<String, u64>> = HashMap::new();
    let mut found = Vec::new();
    for wish in wishes.iter().filter(|wish| jobs.contains(&wish.array)) {
        if !wish.waits_for_resources || wish.may_share || wish.partition.contains(',') {
            continue;
        }
        if !partitions.contains_key(wish.partition.as_str()) {
            partitions.insert(&wish.partition, nodes(slurm, &wish.partition)?);
        }
        let Some(nodes) = partitions.get(wish.partition.as_str()) else { continue };
        if let Some(reason) = reason(wish, &others, nodes, || is_fixed(slurm, wish.id)) {
            found.push((wish.array, reason));
        }
    }
    Ok(found)
}

/// Returns why a job cannot run. `is_fixed` returns whether it cannot get more nodes than its minimum.
fn reason(
    job: &Wish,
    others: &[&Wish],
    nodes: &HashMap<String, u64>,
    is_fixed: impl FnOnce() -> bool,
) -> Option<String> {
    conflict(job, others, nodes, false).or_else(|| {
        let on_one = if job.nodes == 1 { conflict(job, others, nodes, true) } else { None };
        on_one.filter(|_| job.tasks == 1 || is_fixed())
    })
}

/// Compares the needs of a job with the resources of `nodes` while the others run.
fn conflict(
    job: &Wish,
    others: &[&Wish],
    nodes: &HashMap<String, u64>,
    on_one: bool,
) -> Option<String> {
    // A job on several nodes may use other nodes beside the required ones.
    let allowed =
        |name: &str| !on_one || job.required.is_empty() || job.required.iter().any(|n| n == name);
    let nodes: HashMap<&str, u64> = nodes
        .iter()
        .map(|(name, cpus)| (name.as_str(), *cpus))
        .filter(|(n, _)| allowed(n))
        .collect();
    let mut held: HashMap<&str, u64> = HashMap::new();
    for other in others {
        let on_each = other.cpus / (other.on.len() as u64).max(1);
        for name in other.on.iter().filter(|name| nodes.contains_key(name.as_str())) {
            *held.entry(name).or_default() += on_each;
        }
    }
    if held.is_empty() {
        return None;
    }
    let partition = &job.partition;
    let holders = match others {
        [_] => "this workflow".to_owned(),
        _ => format!("this workflow and the {} around it", others.len() - 1),
    };
    if job.is_exclusive {
        let left = nodes.len() - held.len();
        return (job.nodes > left as u64).then(|| {
            format!(
                "it needs {} whole nodes, but {} of the {} possible ones in partition {partition} are used by {holders}",
                job.nodes, held.len(), nodes.len()
            )
        });
    }
    let total: u64 = nodes.values().sum();
    let left = |(name, cpus): (&&str, &u64)| {
        cpus.saturating_sub(held.get(name).copied().unwrap_or_default())
    };
    let (most, what) = if on_one {
        (nodes.iter().map(left).max().unwrap_or(0), "on one node ")
    } else {
        (nodes.iter().map(left).sum(), "")
    };
    let taken: u64 = others.iter().map(|other| other.cpus).sum();
    (job.cpus > most).then(|| {
        format!(
            "it needs {} CPUs {what}but can have at most {most} of {total} in partition {partition} beside {holders}, which use {taken}",
            job.cpus
        )
    })
}

/// Each field with a separator, because squeue cuts them and prints them without one.
const FIELDS: &str = "JobID:|,ArrayJobID:|,State:|,Reason:|,NumCPUs:|,NumNodes:|,OverSubscribe:|,Partition:|,NodeList:|,ReqNodes:|,NumTasks:|";

fn wishes<'a>(slurm: &Slurm, jobs: impl Iterator<Item = &'a JobId>) -> Result<Vec<Wish>, Error> {
    let list = jobs.map(ToString::to_string).collect::<Vec<_>>().join(",");
    let command = question("squeue").args(["-a", "-h", "-O", FIELDS, "-j"]).arg(list);
    let output = slurm.query(&command)?;
    if !output.status.success() {
        return Err(refused(&command, &output));
    }
    let mut wishes: Vec<Wish> = output.stdout.lines().filter_map(wish).collect();
    if wishes.iter().any(|wish| wish.is_exclusive) && !no_means_exclusive(slurm.release()) {
        wishes.iter_mut().for_each(|wish| wish.is_exclusive = false);
    }
    Ok(wishes)
}

/// Returns whether `OverSubscribe=NO` means that a job wants whole nodes. From 26.05 on, ordinary jobs have it
/// too. For an unknown release the answer is no.
fn no_means_exclusive(release: Option<Release>) -> bool {
    release.is_some_and(|release| release < Release::new(26, 5))
}

fn wish(line: &str) -> Option<Wish> {
    let fields: Vec<&str> = line.split('|').map(str::trim).collect();
    let [id, array, state, reason, cpus, nodes, share, partition, on, required, tasks, ""] =
        fields[..]
    else {
        return None;
    };
    let hosts = |list: &str| {
        list.parse::<HostList>().ok().and_then(|list| list.hosts().ok()).unwrap_or_default()
    };
    Some(Wish {
        id: id.parse().ok()?,
        array: array.parse().ok()?,
        waits_for_resources: state == "PENDING" && ["Resources", "Priority"].contains(&reason),
        cpus: cpus.parse().ok()?,
        // The minimum of a range like `2-4`.
        nodes: nodes.split('-').next()?.parse().ok()?,
        tasks: tasks.parse().ok()?,
        is_exclusive: share == "NO",
        may_share: share == "YES",
        partition: partition.to_owned(),
        on: hosts(on),
        required: hosts(required),
    })
}

/// Returns whether a job whose minimum is one node cannot get more. squeue does not show that.
fn is_fixed(slurm: &Slurm, job: JobId) -> bool {
    let command = question("scontrol").args(["-o", "show", "job"]).arg(job.to_string());
    match slurm.query(&command) {
        Ok(output) => has_one_node(&output.stdout),
        Err(error) => {
            log::warn!("cannot tell how many nodes job {job} may have: {error}");
            false
        }
    }
}

/// Without a maximum it would be `NumNodes=1`.
fn has_one_node(shown: &str) -> bool {
    shown.split_whitespace().any(|word| word == "NumNodes=1-1")
}

/// Returns the nodes of a partition with their CPUs, in any state, because nodes that are down may come back.
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

    fn conflict_of(job: &str, others: &[&str]) -> Option<String> {
        let nodes = (1..=4).map(|n| (format!("n{n}"), 4)).collect();
        reason_of(job, others, &nodes, false)
    }

    fn reason_of(
        job: &str,
        others: &[&str],
        nodes: &HashMap<String, u64>,
        is_fixed: bool,
    ) -> Option<String> {
        let others: Vec<Wish> = others.iter().map(|line| wish(line).unwrap()).collect();
        reason(&wish(job).unwrap(), &others.iter().collect::<Vec<_>>(), nodes, || is_fixed)
    }

    const WORKFLOW: &str = "7|7|RUNNING|None|1|1|OK|debug|n1||1|";

    #[test]
    fn only_jobs_that_can_never_run_are_reported() {
        let told = |job: &str| conflict_of(job, &[WORKFLOW]).is_some();
        assert!(told("8|8|PENDING|Resources|16|4|OK|debug|||16|"), "all CPUs of all nodes");
        assert!(!told("8|8|PENDING|Resources|15|4|OK|debug|||15|"));
        assert!(!told("8|8|PENDING|Resources|4|1|OK|debug|||1|"), "another node has enough");
        assert!(told("8|8|PENDING|Resources|5|1|OK|debug|||1|"));
        assert!(told("8|8|PENDING|Resources|4|1|OK|debug||n1|1|"), "it requires that node");
        assert!(told("8|8|PENDING|Resources|4|4|NO|debug|||4|"), "it needs all nodes exclusively");
        assert!(
            told("8|8|PENDING|Resources|1|1|NO|debug||n1|1|"),
            "it needs that node exclusively"
        );
        assert!(!told("8|8|PENDING|Resources|3|3|NO|debug|||3|"));
    }

    #[test]
    fn tasks_go_onto_several_nodes_unless_their_number_is_fixed() {
        let nodes = (1..=2).map(|n| (format!("n{n}"), 4)).collect();
        let other = WORKFLOW.replace("7|7", "6|6").replace("n1", "n2");
        let told = |job: &str, is_fixed| reason_of(job, &[WORKFLOW, &other], &nodes, is_fixed);
        let four = "8|8|PENDING|Resources|4|1|OK|debug|||4|";
        assert_eq!(told(four, false), None, "three CPUs on one node and one on another");
        let reason = told(four, true).unwrap();
        assert!(reason.contains("4 CPUs on one node but can have at most 3"), "{reason}");
        assert!(
            told("8|8|PENDING|Resources|4|1|OK|debug|||1|", false).is_some(),
            "one task needs one node"
        );
        assert!(
            told("8|8|PENDING|Resources|7|1|OK|debug|||7|", false).is_some(),
            "both nodes have six"
        );
        let required = "8|8|PENDING|Resources|4|1|OK|debug||n1|4|";
        assert_eq!(told(required, false), None, "it may use other nodes beside the required one");
        assert!(has_one_node("JobId=8 NumNodes=1-1 NumCPUs=4"));
        assert!(!has_one_node("JobId=8 NumNodes=1 NumCPUs=4 NumNodes=1-2"));
    }

    #[test]
    fn the_workflows_around_it_count() {
        let around = "6|6|RUNNING|None|4|2|OK|debug|n[1-2]||4|";
        let told = |job: &str| conflict_of(job, &[around, WORKFLOW]);
        let reason = told("8|8|PENDING|Resources|12|4|OK|debug|||12|").unwrap();
        assert!(
            reason.contains("at most 11") && reason.contains("and the 1 around it"),
            "{reason}"
        );
        assert!(told("8|8|PENDING|Resources|11|4|OK|debug|||11|").is_none());
        assert!(told("8|8|PENDING|Resources|3|3|NO|debug|||3|").is_some());
        assert!(told("8|8|PENDING|Resources|2|2|NO|debug|||2|").is_none());
    }

    #[test]
    fn a_value_that_every_job_has_does_not_mean_whole_nodes() {
        let release = |text: &str| Some(text.parse::<Release>().unwrap());
        assert!(no_means_exclusive(release("slurm-wlm 22.05.8")));
        assert!(no_means_exclusive(release("slurm 25.11.1")));
        assert!(!no_means_exclusive(release("slurm 26.05.5")));
        assert!(!no_means_exclusive(None));
    }

    #[test]
    fn a_workflow_in_another_partition_does_not_count() {
        let elsewhere = "7|7|RUNNING|None|1|1|OK|other|m1||1|";
        assert_eq!(conflict_of("8|8|PENDING|Resources|16|4|OK|debug|||16|", &[elsewhere]), None);
    }
}
