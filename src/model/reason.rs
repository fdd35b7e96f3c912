//! Reasons why a job is pending, with explanations.

use std::fmt;

use serde::{Deserialize, Serialize};
use slurm_host::Printable;

/// The reason of a job's state: Slurm's word, its meaning, and advice.
///
/// Slurm has about a hundred of these words, and sites add sentences of their own. A word that this version of
/// the library does not know has no explanation and never counts as [blocking](Self::is_blocking).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reason(String);

/// The explanation of one of Slurm's words.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    /// Whether the job can never start unless the job or the cluster is changed.
    blocks: bool,
    explanation: &'static str,
    advice: Option<&'static str>,
}

const fn waits(explanation: &'static str) -> Meaning {
    Meaning { blocks: false, explanation, advice: None }
}

const fn may_need(explanation: &'static str, advice: &'static str) -> Meaning {
    Meaning { blocks: false, explanation, advice: Some(advice) }
}

const fn blocks(explanation: &'static str, advice: &'static str) -> Meaning {
    Meaning { blocks: true, explanation, advice: Some(advice) }
}

const RELEASE: &str = "release it with `scontrol release`, or cancel it";
const ADMINISTRATOR: &str = "ask the cluster's administrators";
const LOWER: &str = "cancel it and ask for less, or use another partition or QOS";

/// The beginning of a word, in lower case and with only letters and digits, and its meaning. The first match
/// holds. Source of the words: `job_state_reason_string()` in Slurm's `slurm_protocol_defs.c`, and the
/// descriptions that slurmctld writes beside them, 20.11 to 25.11.
const MEANINGS: &[(&str, Meaning)] = &[
    ("resources", waits("it waits for enough free CPUs, memory or GPUs")),
    ("priority", waits("jobs of higher priority start before it")),
    (
        "dependencyneversatisfied",
        blocks(
            "a job that it depends on did not end as required",
            "cancel it, and submit both again",
        ),
    ),
    ("dependency", waits("it waits for the jobs that it depends on")),
    ("begintime", waits("it may not begin yet; a requeued job waits for about two minutes")),
    ("jobarraytasklimit", waits("its array has reached its limit of running elements")),
    ("jobheldadmin", blocks("an administrator holds it", ADMINISTRATOR)),
    ("jobhelduser", blocks("it was submitted or put on hold", RELEASE)),
    (
        "jobholdmaxrequeue",
        blocks("it was requeued as often as the cluster allows, and is held", RELEASE),
    ),
    (
        "launchfailedrequeuedheld",
        blocks(
            "its node could not start it (often a prolog that failed), and Slurm holds it",
            "release it with `scontrol release`; if that happens again, ask the cluster's administrators to look at the node's log",
        ),
    ),
    (
        "userenvretrievalfailed",
        blocks(
            "the login environment could not be loaded on the node, and Slurm holds it",
            "leave out `get_user_env` and `export`, then submit it again",
        ),
    ),
    (
        "duplicatejobid",
        blocks(
            "slurmctld gave its id to another job after a crash, and holds it",
            "cancel it and submit it again",
        ),
    ),
    ("jobrequeuedinheldstate", blocks("it was requeued and is held", RELEASE)),
    (
        "badconstraints",
        blocks(
            "no node of the partition has the requested resources",
            "ask for less, or for features that `sinfo -o '%N %f %G %c %m'` shows",
        ),
    ),
    (
        "partitiontimelimit",
        blocks(
            "its time limit is longer than the partition allows",
            "ask for less `time`, or use another partition (`sinfo -o '%P %l'` shows their limits)",
        ),
    ),
    (
        "partitionnodelimit",
        blocks(
            "the number of nodes that it asks for is outside of the partition's limits",
            "ask for another number of `nodes`, or use another partition",
        ),
    ),
    (
        "partitionconfig",
        blocks(
            "it does not fit the partition's limits of time, nodes or memory, or the partition is off",
            "ask for less, or use another partition (`scontrol show partition` shows their limits)",
        ),
    ),
    ("partitiondown", may_need("the partition is down", ADMINISTRATOR)),
    ("partitioninactive", may_need("the partition accepts no jobs at the moment", ADMINISTRATOR)),
    (
        "invalidaccount",
        blocks(
            "its account does not exist or is not open to you",
            "use another `account` (`sacctmgr show associations user=$USER` lists them)",
        ),
    ),
    ("invalidqos", blocks("its QOS does not exist or is not open to you", "use another `qos`")),
    (
        "accountnotallowed",
        blocks("its account may not use the partition", "use another `account` or partition"),
    ),
    (
        "qosnotallowed",
        blocks(
            "its QOS may not be used in the partition or with its account",
            "use another `qos` or partition",
        ),
    ),
    ("accountingpolicy", may_need("a limit of the accounting is reached", "wait, or ask for less")),
    (
        "reqnodenotavail",
        may_need(
            "nodes that it needs are down, drained or reserved",
            "if that lasts, look at them with `sinfo -R`, or ask for other nodes",
        ),
    ),
    (
        "nodesrequiredforjob",
        may_need(
            "nodes that it needs are down, drained or reserved",
            "if that lasts, look at them with `sinfo -R`, or ask for other nodes",
        ),
    ),
    (
        "nodedown",
        may_need(
            "a node that it needs is down",
            "look at it with `sinfo -R`, or ask for other nodes",
        ),
    ),
    (
        "reservationdeleted",
        blocks("its reservation was deleted", "cancel it and submit it without `reservation`"),
    ),
    ("reservationinvalid", blocks("it may not use its reservation", "use another `reservation`")),
    ("reservation", waits("its reservation has not begun, or is full")),
    ("licenses", waits("the requested licenses are in use")),
    (
        "deadline",
        blocks(
            "it can no longer end before its deadline",
            "submit it again with a later `deadline`",
        ),
    ),
    ("prolog", waits("the node is being prepared")),
    ("configuring", waits("its nodes are booting")),
    ("cleaning", waits("its last run is being cleaned up")),
    ("burstbuffer", waits("its files are being copied into or out of the burst buffer")),
    ("scheddefer", waits("the scheduler looks at it in its next round")),
    ("systemfailure", blocks("Slurm, its file system or the network failed", ADMINISTRATOR)),
    ("fedjoblock", waits("the clusters of the federation decide which one runs it")),
    (
        "maxmemperlimit",
        blocks(
            "it asks for more memory than the partition allows",
            "ask for less `mem`, or use another partition",
        ),
    ),
    ("inactivelimit", may_need("it was inactive for too long", ADMINISTRATOR)),
];

impl Reason {
    /// Returns the reason that Slurm or the embedded backend gave.
    pub(crate) fn new(word: impl Into<String>) -> Self {
        Self(word.into())
    }

    /// Returns Slurm's own word or sentence.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the meaning, if this version of the library knows the word.
    pub fn explanation(&self) -> Option<&'static str> {
        self.meaning().map(|meaning| meaning.explanation)
    }

    /// Returns advice, if there is any.
    pub fn advice(&self) -> Option<&'static str> {
        self.meaning()?.advice
    }

    /// Returns whether a job with this reason can never start unless the job or the cluster is changed.
    pub fn is_blocking(&self) -> bool {
        self.meaning().is_some_and(|meaning| meaning.blocks)
    }

    fn meaning(&self) -> Option<Meaning> {
        let plain = self.0.chars().filter(char::is_ascii_alphanumeric);
        let plain: String = plain.map(|c| c.to_ascii_lowercase()).collect();
        let known = MEANINGS.iter().find(|(begins, _)| plain.starts_with(begins));
        known.map(|(_, meaning)| *meaning).or_else(|| limit(&plain))
    }
}

/// Returns the meaning of a limit of a QOS or an association: `QOSMaxCpuPerUserLimit`, `AssocGrpCpuMinutesLimit`.
fn limit(plain: &str) -> Option<Meaning> {
    let rest = plain.strip_prefix("qos").or_else(|| plain.strip_prefix("assoc"))?;
    Some(if rest.contains("perjob") || rest.contains("pernode") || rest.starts_with("maxwall") {
        blocks("it asks for more than its QOS or account allows for a single job", LOWER)
    } else if rest.starts_with("min") {
        blocks("it asks for less than its QOS requires", "ask for more, or use another `qos`")
    } else if rest.contains("minutes") && !rest.contains("runminutes") {
        may_need(
            "the computing time of its account or QOS is used up",
            "use another `account`, or ask for more time (`sshare` shows the usage)",
        )
    } else if rest.starts_with("grp") {
        may_need(
            "the jobs of its account or QOS have reached their common limit",
            "it starts once some of them have ended",
        )
    } else if rest.starts_with("max") || rest.contains("limit") {
        may_need(
            "your jobs have reached the limit of its QOS or account",
            "it starts once some of them have ended",
        )
    } else {
        return None;
    })
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Printable(&self.0))?;
        self.explanation().map_or(Ok(()), |explanation| write!(f, ": {explanation}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocking_reasons_are_distinguished_from_others() {
        for word in [
            "JobHeldUser",
            "JobHeldAdmin",
            "PartitionTimeLimit",
            "PartitionConfig",
            "BadConstraints",
            "DependencyNeverSatisfied",
            "launch failed requeued held",
            "launch_failed_requeued_held",
            "QOSMaxCpuPerJobLimit",
            "AssocMaxWallDurationPerJobLimit",
            "QOSMinCpuNotSatisfied",
        ] {
            let reason = Reason::new(word);
            assert!(reason.is_blocking() && reason.advice().is_some(), "{word}");
        }
        for word in [
            "Resources",
            "Priority",
            "Dependency",
            "ReqNodeNotAvail, UnavailableNodes:n[1-4]",
            "ReqNodeNotAvail(Unavailable:n1)",
            "Nodes_required_for_job_are_DOWN,_DRAINED",
            "QOSMaxJobsPerUserLimit",
            "AssocGrpCpuLimit",
            "AssocGrpCPUMinutesLimit",
            "Licenses",
            "BeginTime",
        ] {
            let reason = Reason::new(word);
            assert!(!reason.is_blocking() && reason.explanation().is_some(), "{word}");
        }
    }

    #[test]
    fn unknown_words_are_shown_unchanged() {
        let reason = Reason::new("the site's \u{1b}[1mown words");
        assert_eq!((reason.explanation(), reason.is_blocking()), (None, false));
        assert_eq!(reason.to_string(), "the site's \\u{1b}[1mown words");
        assert_eq!(Reason::new("QOS").explanation(), None);
    }
}
