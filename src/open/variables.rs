//! Environment variables from which sbatch takes options.

use slurm_core::options::{self, Argument, OptionInput, OptionSet, Source};

/// sbatch's variables, each with the key of its option. Source: `man sbatch`, "Input environment variables",
/// and the table in `src/sbatch/opt.c`, 20.11 to 25.11. The list leaves out `SBATCH_ARRAY_INX` (a job is one
/// call), and `SBATCH_WAIT` and `SBATCH_DEBUG` (they change sbatch itself).
const VARIABLES: &[(&str, &str)] = &[
    ("SBATCH_ACCOUNT", "account"),
    ("SBATCH_ACCTG_FREQ", "acctg_freq"),
    ("SBATCH_BATCH", "batch"),
    ("SBATCH_BURST_BUFFER", "bb"),
    ("SBATCH_CLUSTERS", "clusters"),
    ("SBATCH_CLUSTER_CONSTRAINT", "cluster_constraint"),
    ("SBATCH_CONSTRAINT", "constraint"),
    ("SBATCH_CONTAINER", "container"),
    ("SBATCH_CONTAINER_ID", "container_id"),
    ("SBATCH_CORE_SPEC", "core_spec"),
    ("SBATCH_CPUS_PER_GPU", "cpus_per_gpu"),
    ("SBATCH_DELAY_BOOT", "delay_boot"),
    ("SBATCH_DISTRIBUTION", "distribution"),
    ("SBATCH_ERROR", "error"),
    ("SBATCH_EXCLUSIVE", "exclusive"),
    ("SBATCH_EXPORT", "export"),
    ("SBATCH_GET_USER_ENV", "get_user_env"),
    ("SBATCH_GPUS", "gpus"),
    ("SBATCH_GPUS_PER_NODE", "gpus_per_node"),
    ("SBATCH_GPUS_PER_SOCKET", "gpus_per_socket"),
    ("SBATCH_GPUS_PER_TASK", "gpus_per_task"),
    ("SBATCH_GPU_BIND", "gpu_bind"),
    ("SBATCH_GPU_FREQ", "gpu_freq"),
    ("SBATCH_GRES", "gres"),
    ("SBATCH_GRES_FLAGS", "gres_flags"),
    ("SBATCH_HINT", "hint"),
    ("SBATCH_IGNORE_PBS", "ignore_pbs"),
    ("SBATCH_INPUT", "input"),
    ("SBATCH_JOB_NAME", "job_name"),
    ("SBATCH_MEM_BIND", "mem_bind"),
    ("SBATCH_MEM_PER_CPU", "mem_per_cpu"),
    ("SBATCH_MEM_PER_GPU", "mem_per_gpu"),
    ("SBATCH_MEM_PER_NODE", "mem"),
    ("SBATCH_NETWORK", "network"),
    ("SBATCH_NO_KILL", "no_kill"),
    ("SBATCH_NO_REQUEUE", "no_requeue"),
    ("SBATCH_OPEN_MODE", "open_mode"),
    ("SBATCH_OUTPUT", "output"),
    ("SBATCH_OVERCOMMIT", "overcommit"),
    ("SBATCH_PARTITION", "partition"),
    ("SBATCH_POWER", "power"),
    ("SBATCH_PROFILE", "profile"),
    ("SBATCH_QOS", "qos"),
    ("SBATCH_REQUEUE", "requeue"),
    ("SBATCH_REQ_SWITCH", "switches"),
    ("SBATCH_RESERVATION", "reservation"),
    ("SBATCH_SEGMENT_SIZE", "segment"),
    ("SBATCH_SIGNAL", "signal"),
    ("SBATCH_SPREAD_JOB", "spread_job"),
    ("SBATCH_THREADS_PER_CORE", "threads_per_core"),
    ("SBATCH_THREAD_SPEC", "thread_spec"),
    ("SBATCH_TIMELIMIT", "time"),
    ("SBATCH_TRES_BIND", "tres_bind"),
    ("SBATCH_TRES_PER_TASK", "tres_per_task"),
    ("SBATCH_USE_MIN_NODES", "use_min_nodes"),
    ("SBATCH_WAIT_ALL_NODES", "wait_all_nodes"),
    ("SBATCH_WCKEY", "wckey"),
];

/// Variables that sbatch reads too, but that Slurm also sets in jobs. Inside a job they describe that job, not
/// the one to submit.
const OUTSIDE_OF_JOBS: &[(&str, &str)] = &[("SLURM_CLUSTERS", "clusters"), ("SLURM_HINT", "hint")];

/// Returns the options in this process's environment variables. Logs a warning for values that sbatch would
/// refuse.
pub(super) fn of_this_process() -> OptionSet {
    let (set, problems) = options(|name| std::env::var(name).ok());
    problems.iter().for_each(|problem| log::warn!("{problem}"));
    set
}

/// Returns the options in the variables, as sbatch reads them, and the problems with invalid ones.
fn options(variable: impl Fn(&str) -> Option<String>) -> (OptionSet, Vec<String>) {
    let (mut set, mut problems) = (OptionSet::new(), Vec::new());
    let outside = variable("SLURM_JOB_ID").is_none();
    let general = OUTSIDE_OF_JOBS.iter().filter(|_| outside);
    for (name, key) in general.chain(VARIABLES) {
        let (Some(value), Ok(spec)) = (variable(name), options::lookup(key)) else { continue };
        let value = match (*name, variable("SBATCH_WAIT4SWITCH")) {
            ("SBATCH_REQ_SWITCH", Some(wait)) => format!("{value}@{wait}"),
            _ => value,
        };
        let input = match spec.argument {
            Argument::None if is_on(&value) => OptionInput::from(true),
            Argument::None => continue,
            Argument::Optional if value.is_empty() => OptionInput::from(true),
            _ => OptionInput::from(value.as_str()),
        };
        match spec.parse_input(input) {
            Ok(value) => set.set(spec, value, Source::Variable),
            Err(error) => problems.push(format!("ignoring {name}: {error}")),
        }
    }
    (set, problems)
}

/// Returns whether a variable sets a flag, by sbatch's rule.
fn is_on(value: &str) -> bool {
    value.is_empty()
        || value.eq_ignore_ascii_case("yes")
        || value.parse::<i64>().is_ok_and(|number| number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let (set, problems) = options(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        (set.to_args(), problems)
    }

    #[test]
    fn every_variable_has_an_option() {
        for (name, key) in VARIABLES.iter().chain(OUTSIDE_OF_JOBS) {
            assert!(options::lookup(key).is_ok(), "{name}");
        }
    }

    #[test]
    fn variables_mean_the_same_as_to_sbatch() {
        let (args, problems) = args(&[
            ("SBATCH_TIMELIMIT", "90"),
            ("SBATCH_MEM_PER_NODE", "2G"),
            ("SBATCH_REQ_SWITCH", "1"),
            ("SBATCH_WAIT4SWITCH", "10"),
            ("SBATCH_OVERCOMMIT", "yes"),
            ("SBATCH_SPREAD_JOB", "0"),
            ("SBATCH_EXCLUSIVE", ""),
            ("SBATCH_QOS", "two words"),
            ("SBATCH_ARRAY_INX", "0-3"),
            ("SLURM_CLUSTERS", "other"),
        ]);
        assert_eq!(
            args,
            [
                "--clusters=other",
                "--exclusive",
                "--mem=2G",
                "--overcommit",
                "--switches=1@00:10:00",
                "--time=01:30:00"
            ]
        );
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].starts_with("ignoring SBATCH_QOS: "), "{problems:?}");
    }

    #[test]
    fn variables_that_slurm_sets_in_a_job_are_ignored() {
        let (args, _) = args(&[("SLURM_CLUSTERS", "mine"), ("SLURM_JOB_ID", "7")]);
        assert!(args.is_empty(), "{args:?}");
    }
}
