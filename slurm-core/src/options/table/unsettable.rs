//! Names that are known but cannot be set, and names that people take for an option's.

/// Why a name that sbatch or its relatives know is not an option of a job here.
pub(crate) fn reason(name: &str) -> Option<&'static str> {
    Some(match name {
        "help" | "usage" | "version" => "it makes sbatch print and exit",
        "autocomplete" => "it serves the shell's completion",
        "parsable" | "quiet" | "verbose" => "it changes what sbatch prints, which is read here",
        "test-only" => "it submits nothing; use the dry run",
        "wait" => "it makes sbatch wait; wait for the job's result",
        "wrap" => "it takes the place of the script, which is written for the task",
        "external" => "it submits a job without a script",
        "hetjob" | "packjob" => "it separates the components of a heterogeneous job",
        "container-type" | "mem-update" => {
            "it is newer than the table, which ends with Slurm 25.11"
        }
        "bcast" | "bell" | "compress" | "cpu-bind" | "debugger-test" | "disable-status"
        | "epilog" | "exact" | "het-group" | "immediate" | "interactive" | "jobid"
        | "kill-command" | "kill-on-bad-exit" | "label" | "max-threads" | "mpi" | "msg-timeout"
        | "multi-prog" | "no-allocate" | "no-bell" | "no-shell" | "overlap" | "preserve-env"
        | "prolog" | "pty" | "quit-on-interrupt" | "relative" | "send-libs" | "slurmd-debug"
        | "task-epilog" | "task-prolog" | "treewidth" | "unbuffered" | "whole" | "x11" => {
            "it is an option of srun or salloc, not of sbatch"
        }
        _ => return None,
    })
}

/// The option that a name from another scheduler, another tool or an older Slurm means.
pub(crate) fn meant(name: &str) -> Option<&'static str> {
    Some(match name {
        "workdir" | "work-dir" | "cwd" | "working-dir" => "chdir",
        "share" => "oversubscribe",
        "walltime" | "timelimit" | "time-limit" | "runtime" => "time",
        "queue" => "partition",
        "memory" | "mem-per-node" => "mem",
        "stdout" | "log" | "out" => "output",
        "stderr" | "err" => "error",
        "stdin" => "input",
        "gpu" | "num-gpus" | "gpus-per-job" => "gpus",
        "cpu" | "cpus" | "cores" | "num-cpus" | "threads-per-task" => "cpus-per-task",
        "node" | "num-nodes" | "nnodes" => "nodes",
        "num-tasks" | "procs" => "ntasks",
        "name" => "job-name",
        "email" | "mail" => "mail-user",
        "feature" | "features" | "constraints" => "constraint",
        "after" | "depend" | "depends" | "dependencies" => "dependency",
        "project" => "account",
        "license" => "licenses",
        "hosts" | "hostlist" => "nodelist",
        "env" => "export",
        "start" | "not-before" => "begin",
        _ => return None,
    })
}
