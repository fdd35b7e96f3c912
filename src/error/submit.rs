//! Reasons why a job could not be submitted.

use std::time::Duration;

use slurm_core::ids::JobId;
use slurm_host::{HostError, Printable};

use super::job::UpstreamFailure;

fn list(upstream: &[UpstreamFailure]) -> String {
    let each = upstream.iter().map(ToString::to_string);
    each.collect::<Vec<_>>().join("; ")
}

/// The reason why a job could not be submitted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// A file could not be written or a command could not be run. There is no job and no job directory.
    #[error(transparent)]
    Host(#[from] HostError),
    /// sbatch or the controller refused the job. There is no job and no job directory.
    #[error("sbatch refused the job: {}", Printable(message))]
    Refused {
        /// The subject of the refusal.
        refusal: Refusal,
        /// The limit that was reached, in Slurm's word, such as `QOSMaxSubmitJobPerUserLimit`.
        limit: Option<String>,
        /// The message of sbatch.
        message: String,
        /// The whole command line.
        command: String,
    },
    /// The answer was lost and the job was not found afterwards; it may still appear.
    #[error("it is not known whether the job was submitted: {}", Printable(message))]
    Unknown {
        /// The error that took the place of an answer.
        message: String,
        /// The id to look for, which is in the job's comment and in the path of its script.
        submission_id: String,
        /// The time of the search.
        searched: Duration,
    },
    /// sbatch succeeded, but its output contains no job id.
    #[error("sbatch printed no job id: {output:?}")]
    NoJobId {
        /// The output.
        output: String,
    },
    /// A dependency did not end as required, so the job can never run. There is no job and no job directory.
    ///
    /// While the queue still knows the dependency, Slurm may decide instead. Then the job is submitted and ends
    /// as [`JobErrorKind::DependencyFailed`](crate::JobErrorKind::DependencyFailed).
    #[error("the job cannot run, because {}", list(upstream))]
    DependencyFailed {
        /// The failed dependencies, with the end of each.
        upstream: Vec<UpstreamFailure>,
    },
    /// No source knows how a dependency ended. There is no job and no job directory.
    #[error(
        "cannot tell whether job {job}{} ended as this job requires: {}",
        of_task(task),
        Printable(reason)
    )]
    DependencyUnknown {
        /// The dependency.
        job: JobId,
        /// Its task; empty if only its id is known.
        task: String,
        /// The sources that were asked, and the answer of each.
        reason: String,
    },
    /// The supervisor of the embedded backend could not be reached.
    #[error("the embedded backend did not answer: {}", Printable(message))]
    Supervisor {
        /// What happened.
        message: String,
    },
    /// The supervisor of the embedded backend got the job and did not answer, and neither did its successors.
    #[error(
        "the embedded backend did not answer, so it is not known whether the job was submitted: {}",
        Printable(message)
    )]
    SupervisorSilent {
        /// What happened.
        message: String,
    },
    /// The job could only start after the end of the workflow that submits it.
    #[error("there is no room for the job beside the workflow that submits it: {message}")]
    NoRoom {
        /// The missing resource.
        message: String,
    },
    /// The embedded backend does not support an option.
    #[error("the embedded backend cannot honour `{option}`: {message}")]
    Unsupported {
        /// The option's key.
        option: &'static str,
        /// The reason.
        message: String,
    },
}

fn of_task(task: &str) -> String {
    if task.is_empty() { String::new() } else { format!(" ({})", Printable(task)) }
}

/// The subject of a refusal by sbatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// The partition does not exist or may not be used.
    Partition,
    /// The account, or its association with the partition.
    Account,
    /// The QOS.
    Qos,
    /// The time limit.
    Time,
    /// The memory.
    Memory,
    /// Nodes, CPUs or features that the cluster does not have.
    Nodes,
    /// GPUs or other generic resources.
    Gres,
    /// The reservation.
    Reservation,
    /// The dependency.
    Dependency,
    /// The size or the form of a job array.
    Array,
    /// The licenses.
    Licenses,
    /// A limit on the user's jobs in the queue.
    Limit,
    /// An option that sbatch does not have.
    Option,
    /// Anything else.
    Other,
}

impl Refusal {
    /// Returns the kind of refusal from the message of sbatch. Source of the phrases: `slurm_strerror()`, 20.11
    /// to 25.11.
    pub(crate) fn of(message: &str) -> Self {
        const PHRASES: &[(&str, Refusal)] = &[
            // Comes first, because the message also mentions size and time limits.
            ("accounting/qos policy", Refusal::Limit),
            ("invalid partition", Refusal::Partition),
            ("user's group not permitted to use this partition", Refusal::Partition),
            ("invalid account", Refusal::Account),
            ("invalid qos", Refusal::Qos),
            ("time limit", Refusal::Time),
            ("time-min", Refusal::Time),
            ("job array", Refusal::Array),
            ("memory required", Refusal::Memory),
            ("memory specification", Refusal::Memory),
            ("generic resource", Refusal::Gres),
            ("trackable resource", Refusal::Gres),
            ("invalid gres", Refusal::Gres),
            ("reservation", Refusal::Reservation),
            ("dependency", Refusal::Dependency),
            ("license", Refusal::Licenses),
            ("job submit limit", Refusal::Limit),
            ("node configuration", Refusal::Nodes),
            ("node count", Refusal::Nodes),
            ("node name", Refusal::Nodes),
            ("feature", Refusal::Nodes),
            ("more processors", Refusal::Nodes),
            ("unrecognized option", Refusal::Option),
            ("invalid option", Refusal::Option),
            ("specification", Refusal::Option),
        ];
        let message = message.to_lowercase();
        let found = PHRASES.iter().find(|(phrase, _)| message.contains(phrase));
        found.map_or(Self::Other, |(_, refusal)| *refusal)
    }

    /// Returns the key of the refused option, if the refusal is about one.
    pub const fn option(self) -> Option<&'static str> {
        Some(match self {
            Self::Partition => "partition",
            Self::Account => "account",
            Self::Qos => "qos",
            Self::Time => "time",
            Self::Memory => "mem",
            Self::Gres => "gres",
            Self::Reservation => "reservation",
            Self::Dependency => "dependency",
            Self::Licenses => "licenses",
            Self::Array => "array",
            Self::Nodes | Self::Limit | Self::Option | Self::Other => return None,
        })
    }

    fn hint(self) -> Option<&'static str> {
        Some(match self {
            Self::Partition => "`sinfo -s` lists the partitions; set `partition`",
            Self::Account => {
                "`sacctmgr show assoc user=$USER format=account,partition` lists your accounts; set `account`"
            }
            Self::Qos => "`sacctmgr show assoc user=$USER format=qos` lists your QOS; set `qos`",
            Self::Time => "`sinfo -o '%P %l'` lists the partitions' limits; set `time`",
            Self::Memory | Self::Nodes => {
                "`sinfo -o '%P %D %c %m %f'` lists the resources of the nodes"
            }
            Self::Gres => "`sinfo -o '%P %G'` lists the nodes' generic resources",
            Self::Reservation => "`scontrol show reservation` lists the reservations",
            Self::Licenses => "`scontrol show licenses` lists the licenses",
            Self::Limit => {
                "wait for some of your jobs to end, or ask for less; `sacctmgr show assoc user=$USER` and `sacctmgr show qos` list the limits"
            }
            Self::Dependency => {
                "Slurm does not know a job that this one depends on; `sacct -j ID` shows how that job ended; remove `dependency` to submit this one"
            }
            Self::Array => {
                "`scontrol show config | grep -iE 'MaxArraySize|max_array_tasks'` shows how many elements an array may have; use fewer elements with `chunk_auto()` or `chunk(n)`"
            }
            Self::Option => {
                "`man sbatch` lists the options of this cluster's release; flags from `extra_flag` are not checked before submission"
            }
            Self::Other => return None,
        })
    }
}

/// Returns the limit that sbatch names in a line of its own: `sbatch: error: QOSMaxSubmitJobPerUserLimit`.
pub(crate) fn limit_in(message: &str) -> Option<String> {
    let words = message.lines().filter_map(|line| line.rsplit_once("error: "));
    let is_limit = |word: &&str| word.ends_with("Limit") && word.chars().all(char::is_alphanumeric);
    words.map(|(_, word)| word.trim()).find(is_limit).map(str::to_owned)
}

impl SubmitError {
    /// Returns whether the job may exist despite the error.
    pub(crate) fn leaves_open(&self) -> bool {
        match self {
            Self::Unknown { .. } | Self::NoJobId { .. } | Self::SupervisorSilent { .. } => true,
            Self::Host(error) => error.leaves_open(),
            _ => false,
        }
    }

    /// Returns advice on how to resolve the error, if there is any.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Host(error) => error.hint(),
            Self::Refused { refusal, .. } => refusal.hint().map(str::to_owned),
            Self::Unknown { submission_id, .. } => {
                Some(format!("look for the job: squeue --me -a -t all -o '%A %T %o' | grep {submission_id}"))
            }
            Self::NoJobId { .. } => Some(
                "sbatch may be a wrapper at this site; look for the job with squeue --me -a".to_owned(),
            ),
            Self::Supervisor { .. } | Self::SupervisorSilent { .. } => {
                Some("see supervisor.log below .local in the job base directory".to_owned())
            }
            Self::NoRoom { .. } => Some(
                "ask for less, or give the embedded backend more CPUs (local_cpus)"
                    .to_owned(),
            ),
            Self::Unsupported { .. } => Some("remove the option, or use --backend slurm".to_owned()),
            Self::DependencyFailed { .. } => Some(
                "submit that job again first, or depend on it with `after_any`, which accepts any end"
                    .to_owned(),
            ),
            Self::DependencyUnknown { job, .. } => Some(format!(
                "`sacct -j {job}` may show how it ended; leave out the dependency if it ended as required, or submit that job again"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_may_exist_only_if_the_supervisor_got_it() {
        let message = String::new;
        assert!(!SubmitError::Supervisor { message: message() }.leaves_open());
        assert!(SubmitError::SupervisorSilent { message: message() }.leaves_open());
    }

    #[test]
    fn messages_of_sbatch_are_classified() {
        for (message, refusal) in [
            (
                "sbatch: error: invalid partition specified: nosuch\nsbatch: error: Batch job submission failed: Invalid partition name specified",
                Refusal::Partition,
            ),
            (
                "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified",
                Refusal::Account,
            ),
            (
                "sbatch: error: Batch job submission failed: Requested node configuration is not available",
                Refusal::Nodes,
            ),
            (
                "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
                Refusal::Limit,
            ),
            ("sbatch: error: Memory specification can not be satisfied", Refusal::Memory),
            (
                "sbatch: error: Batch job submission failed: Invalid job array specification",
                Refusal::Array,
            ),
            (
                "sbatch: error: Batch job submission failed: Job dependency problem",
                Refusal::Dependency,
            ),
            ("sbatch: unrecognized option '--foo'", Refusal::Option),
            ("sbatch: error: something new", Refusal::Other),
        ] {
            assert_eq!(Refusal::of(message), refusal, "{message}");
        }
    }

    #[test]
    fn the_name_of_a_limit_is_found_in_a_message() {
        let message = "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy";
        assert_eq!(limit_in(message).as_deref(), Some("QOSMaxSubmitJobPerUserLimit"));
        assert_eq!(limit_in("sbatch: error: Invalid qos specification"), None);
    }
}
