//! The one definition of the table, from which everything else about options is generated.

/// Hands every row to an arm of `__option_rows_to!`; the one place where options are written down.
///
/// A row: key, sbatch's name, short name, kind of value, argument, first release, first release
/// without it, who checks it, aliases, summary, example, and perhaps a note.
#[doc(hidden)]
#[macro_export]
macro_rules! __option_rows {
    ($($target:tt)*) => {
        $crate::__option_rows_to! {
            [$($target)*]
            { account, "account", Some('A'), Name, Required, Release::new(15, 8), None, Controller, [],
              "Charges the job's use to this account.", "proj1",
              "Written in lower case by the controller; checked only where accounting is enforced. At most 1024 \
               bytes." }
            { acctg_freq, "acctg-freq", None, AcctgFreq, Required, Release::new(15, 8), None, Client, [],
              "Sets how often, in seconds, each kind of use is sampled.", "task=30,energy=10" }
            { array, "array", Some('a'), Array, Required, Release::new(15, 8), None, Controller, [],
              "Submits a job array with these indices.", "0-15:4%3",
              "The cluster's `MaxArraySize` (1001 unless configured) bounds the indices." }
            { batch, "batch", None, BatchFeatures, Required, Release::new(18, 8), None, Controller, [],
              "Names the features of the node that runs the batch script.", "haswell",
              "Must be a part of `constraint`." }
            { bb, "bb", None, BurstBuffer, Required, Release::new(15, 8), None, Controller, [],
              "Describes the burst buffer that the job needs.",
              "#DW jobdw capacity=10GB access_mode=striped type=scratch",
              "At most 8192 bytes; cannot stand beside `bbf`." }
            { bbf, "bbf", None, Path, Required, Release::new(17, 2), None, Client, [],
              "Names a file that describes the burst buffer.", "/home/me/buffer.txt",
              "Read by sbatch on the machine that submits; cannot stand beside `bb`." }
            { begin, "begin", Some('b'), DateTime, Required, Release::new(15, 8), None, Client, [],
              "Keeps the job waiting until this time.", "now+1hour",
              "Times are in the time zone of the machine that submits." }
            { chdir, "chdir", Some('D'), Path, Required, Release::new(17, 11), None, Controller, [],
              "Sets the directory in which the job starts.", "/scratch/me",
              "A relative path is taken from the directory of the submission; whether it exists is not checked." }
            { cluster_constraint, "cluster-constraint", None, ClusterFeatures, Required, Release::new(17, 11), None, Controller, [],
              "Names the features that a cluster of the federation must have.", "!slow",
              "A leading `!` wants clusters without them." }
            { clusters, "clusters", Some('M'), Names, Required, Release::new(15, 8), None, Client, ["cluster"],
              "Submits to whichever of these clusters starts the job first.", "c1,c2",
              "`all` means every cluster; needs slurmdbd, and switches sbatch's own check of `gres` off." }
            { comment, "comment", None, Text, Required, Release::new(15, 8), None, Controller, [],
              "Attaches a comment to the job.", "first try",
              "At most 1024 bytes." }
            { consolidate_segments, "consolidate-segments", None, Flag, None, Release::new(25, 11), None, Client, [],
              "Packs the job's segments into as few blocks as possible.", "" }
            { constraint, "constraint", Some('C'), Constraint, Required, Release::new(15, 8), None, Controller, [],
              "Names the features that nodes must have.", "[rack1|rack2]",
              "A comma means the same as `&`." }
            { container, "container", None, Path, Required, Release::new(21, 8), None, Controller, [],
              "Runs the job in this OCI container bundle.", "/images/bundle" }
            { container_id, "container-id", None, Text, Required, Release::new(23, 2), None, Controller, [],
              "Names the OCI container.", "training" }
            { context, "context", None, Text, Required, Release::new(21, 8), None, Controller, [],
              "Sets the SELinux context of the job.", "unconfined_u" }
            { contiguous, "contiguous", None, Flag, None, Release::new(15, 8), None, Client, [],
              "Asks for nodes that lie next to each other.", "" }
            { core_spec, "core-spec", Some('S'), CoreSpec, Required, Release::new(15, 8), None, Client, [],
              "Reserves this many cores per node for the system.", "1",
              "Cannot stand beside `thread-spec`; needs `AllowSpecResourcesUsage`." }
            { cores_per_socket, "cores-per-socket", None, SmallCount, Required, Release::new(15, 8), None, Client, [],
              "Asks for nodes with at least this many cores per socket.", "8" }
            { cpu_freq, "cpu-freq", None, CpuFreq, Required, Release::new(15, 8), None, Client, [],
              "Sets the frequency of the processors in kHz, or who governs it.", "2000000-2400000:OnDemand",
              "Only the governors in the cluster's `CpuFreqGovernors` are allowed." }
            { cpus_per_gpu, "cpus-per-gpu", None, Count, Required, Release::new(19, 5), None, Client, [],
              "Sets how many processors come with each GPU.", "4",
              "Cannot stand beside `cpus-per-task`; needs a request for GPUs." }
            { cpus_per_task, "cpus-per-task", Some('c'), SmallCount, Required, Release::new(15, 8), None, Client, [],
              "Sets how many processors each task gets.", "8" }
            { deadline, "deadline", None, DateTime, Required, Release::new(16, 5), None, Client, [],
              "Removes the job if it cannot end before this time.", "now+1day" }
            { delay_boot, "delay-boot", None, Walltime, Required, Release::new(17, 2), None, Client, [],
              "Sets for how long the job may wait for nodes with the features instead of rebooting others.", "10" }
            { dependency, "dependency", Some('d'), Dependency, Required, Release::new(15, 8), None, Controller, [],
              "Keeps the job waiting for other jobs.", "afterok:12:13" }
            { distribution, "distribution", Some('m'), Distribution, Required, Release::new(15, 8), None, Client, [],
              "Sets how tasks are spread over nodes, sockets and cores.", "block:cyclic,pack" }
            { error, "error", Some('e'), Path, Required, Release::new(15, 8), None, Controller, [],
              "Names the file for standard error.", "logs/%x-%j.err",
              "`%j` job, `%A` array job, `%a` array index, `%x` name, `%u` user, `%N` node, `%%` a percent sign; \
               `none` is /dev/null." }
            { exclude, "exclude", Some('x'), HostList, Required, Release::new(15, 8), None, Client, [],
              "Keeps the job off these nodes.", "n[1-3]",
              "A value with a `/` is the name of a file." }
            { exclusive, "exclusive", None, Exclusive, Optional, Release::new(15, 8), None, Client, [],
              "Keeps other jobs off the nodes of this one.", "user",
              "`topo` needs 24.05." }
            { export, "export", None, Export, Required, Release::new(15, 8), None, Controller, [],
              "Names the environment variables that the job inherits.", "ALL,EDITOR=vim",
              "Any list but ALL and NONE makes Slurm load the login environment on the node." }
            { export_file, "export-file", None, Path, Required, Release::new(15, 8), None, Client, [],
              "Names a file of environment variables for the job.", "/home/me/job.env",
              "Read by sbatch on the machine that submits." }
            { extra, "extra", None, Text, Required, Release::new(23, 2), None, Controller, [],
              "Attaches free text that the site's plugins read.", "owner=ops",
              "Before 23.02 sbatch takes `--extra` for `--extra-node-info`." }
            { extra_node_info, "extra-node-info", Some('B'), NodeLayout, Required, Release::new(15, 8), None, Client, [],
              "Asks for sockets, cores per socket and threads per core.", "2:8:1",
              "`hint` is dropped beside it." }
            { get_user_env, "get-user-env", None, UserEnvironment, Optional, Release::new(15, 8), None, Client, [],
              "Loads the user's login environment for the job.", "10L",
              "Takes no value from 25.05 on." }
            { gid, "gid", None, Text, Required, Release::new(15, 8), None, Client, [],
              "Submits with the permissions of this group.", "users",
              "Only root may." }
            { gpu_bind, "gpu-bind", None, GpuBind, Required, Release::new(19, 5), None, Client, [],
              "Sets how tasks are bound to GPUs.", "single:2" }
            { gpu_freq, "gpu-freq", None, GpuFreq, Required, Release::new(19, 5), None, Client, [],
              "Sets the frequencies of GPUs in MHz.", "high,memory=low" }
            { gpus, "gpus", Some('G'), Gpus, Required, Release::new(19, 5), None, Client, [],
              "Sets how many GPUs the job gets in all.", "a100:2" }
            { gpus_per_node, "gpus-per-node", None, Gpus, Required, Release::new(19, 5), None, Client, [],
              "Sets how many GPUs the job gets on each node.", "v100:4" }
            { gpus_per_socket, "gpus-per-socket", None, Gpus, Required, Release::new(19, 5), None, Client, [],
              "Sets how many GPUs the job gets on each socket.", "1",
              "Needs `sockets-per-node`." }
            { gpus_per_task, "gpus-per-task", None, Gpus, Required, Release::new(19, 5), None, Client, [],
              "Sets how many GPUs each task gets.", "1",
              "Needs `ntasks` or `gpus`." }
            { gres, "gres", None, Gres, Required, Release::new(15, 8), None, Client, [],
              "Asks for generic resources on each node.", "gpu:a100:2",
              "The names are those in the cluster's `GresTypes`." }
            { gres_flags, "gres-flags", None, GresFlags, Required, Release::new(16, 5), None, Client, [],
              "Sets how generic resources are tied to processors.", "enforce-binding",
              "`multiple-tasks-per-sharing`, `one-task-per-sharing` and lists need 23.11." }
            { hint, "hint", None, Hint, Required, Release::new(15, 8), None, Client, [],
              "Says what the application is limited by.", "nomultithread",
              "sbatch drops it beside `extra-node-info`, `ntasks-per-core` and `threads-per-core`." }
            { hold, "hold", Some('H'), Flag, None, Release::new(15, 8), None, Client, [],
              "Submits the job held.", "" }
            { ignore_pbs, "ignore-pbs", None, Flag, None, Release::new(15, 8), None, Client, [],
              "Ignores `#PBS` and `#BSUB` lines.", "" }
            { input, "input", Some('i'), Path, Required, Release::new(15, 8), None, Controller, [],
              "Names the file for standard input.", "input.txt" }
            { job_name, "job-name", Some('J'), JobName, Required, Release::new(15, 8), None, Controller, [],
              "Names the job.", "training",
              "At most 1024 bytes." }
            { kill_on_invalid_dep, "kill-on-invalid-dep", None, YesNo, Required, Release::new(15, 8), None, Client, [],
              "Sets whether the job is removed when its dependency can never be met.", "yes" }
            { licenses, "licenses", Some('L'), Licenses, Required, Release::new(15, 8), None, Controller, [],
              "Asks for licences.", "matlab:2,ansys",
              "`=` before the number needs 23.11, `|` 25.05." }
            { mail_type, "mail-type", None, MailType, Required, Release::new(15, 8), None, Client, [],
              "Sets on which events mail is sent.", "BEGIN,END,FAIL" }
            { mail_user, "mail-user", None, Text, Required, Release::new(15, 8), None, Controller, [],
              "Sets who gets the mail.", "me@example.org" }
            { mcs_label, "mcs-label", None, Text, Required, Release::new(16, 5), None, Controller, [],
              "Sets the multi-category security label.", "secret" }
            { mem, "mem", None, Memory, Required, Release::new(15, 8), None, Client, [],
              "Sets the memory that the job gets on each node.", "4G",
              "0 means all memory of the node." }
            { mem_bind, "mem-bind", None, MemBind, Required, Release::new(17, 11), None, Client, [],
              "Sets how tasks are bound to memory.", "local,verbose" }
            { mem_per_cpu, "mem-per-cpu", None, Memory, Required, Release::new(15, 8), None, Client, [],
              "Sets the memory that comes with each processor.", "2G" }
            { mem_per_gpu, "mem-per-gpu", None, Memory, Required, Release::new(19, 5), None, Client, [],
              "Sets the memory that comes with each GPU.", "20G",
              "Needs a request for GPUs." }
            { mincpus, "mincpus", None, SmallCount, Required, Release::new(15, 8), None, Client, [],
              "Asks for nodes with at least this many processors.", "4" }
            { network, "network", None, Text, Required, Release::new(15, 8), None, Controller, [],
              "Passes information to the network's switch plugin.", "single_node_vni" }
            { nice, "nice", None, Nice, Optional, Release::new(15, 8), None, Client, [],
              "Lowers the job's priority by this much.", "100",
              "Negative values are for operators; without a value it is 100." }
            { no_kill, "no-kill", Some('k'), NoKill, Optional, Release::new(15, 8), None, Client, [],
              "Keeps the job alive when one of its nodes fails.", "off" }
            { no_requeue, "no-requeue", None, Flag, None, Release::new(15, 8), None, Client, [],
              "Forbids to requeue the job.", "" }
            { nodefile, "nodefile", Some('F'), Path, Required, Release::new(15, 8), None, Client, [],
              "Names a file with the list of nodes.", "/home/me/nodes",
              "Read by sbatch on the machine that submits." }
            { nodelist, "nodelist", Some('w'), HostList, Required, Release::new(15, 8), None, Client, [],
              "Asks for these nodes.", "n[1-3]",
              "A value with a `/` is the name of a file." }
            { nodes, "nodes", Some('N'), NodeCount, Required, Release::new(15, 8), None, Client, [],
              "Sets how many nodes the job gets.", "1-4",
              "Lists (`1,2,4`) and steps (`2-8:2`) need 23.02." }
            { ntasks, "ntasks", Some('n'), Count, Required, Release::new(15, 8), None, Client, [],
              "Sets how many tasks the job starts.", "4" }
            { ntasks_per_core, "ntasks-per-core", None, SmallCount, Required, Release::new(15, 8), None, Client, [],
              "Sets the most tasks per core.", "1" }
            { ntasks_per_gpu, "ntasks-per-gpu", None, SmallCount, Required, Release::new(20, 11), None, Client, [],
              "Sets how many tasks come with each GPU.", "1",
              "Needs a request for GPUs, or `ntasks`." }
            { ntasks_per_node, "ntasks-per-node", None, SmallCount, Required, Release::new(15, 8), None, Client, ["tasks-per-node"],
              "Sets how many tasks each node runs.", "4" }
            { ntasks_per_socket, "ntasks-per-socket", None, SmallCount, Required, Release::new(15, 8), None, Client, [],
              "Sets the most tasks per socket.", "2" }
            { ntasks_per_tres, "ntasks-per-tres", None, SmallCount, Required, Release::new(20, 11), None, Client, [],
              "Sets how many tasks come with each GPU; the older name of `ntasks-per-gpu`.", "1" }
            { oom_kill_step, "oom-kill-step", None, ZeroOrOne, Optional, Release::new(24, 11), None, Client, [],
              "Sets whether the whole step is killed when one task runs out of memory.", "1" }
            { open_mode, "open-mode", None, OpenMode, Required, Release::new(15, 8), None, Client, [],
              "Sets whether the log files are appended to or started anew.", "append" }
            { output, "output", Some('o'), Path, Required, Release::new(15, 8), None, Controller, [],
              "Names the file for standard output.", "logs/%x-%j.out",
              "`%j` job, `%A` array job, `%a` array index, `%x` name, `%u` user, `%N` node, `%%` a percent sign; \
               `none` is /dev/null." }
            { overcommit, "overcommit", Some('O'), Flag, None, Release::new(15, 8), None, Client, [],
              "Allows more than one task per processor.", "" }
            { oversubscribe, "oversubscribe", Some('s'), Flag, None, Release::new(15, 8), None, Client, [],
              "Lets other jobs share the nodes.", "" }
            { partition, "partition", Some('p'), Names, Required, Release::new(15, 8), None, Controller, [],
              "Names the partitions of which the first to have room runs the job.", "gpu,long" }
            { power, "power", None, Power, Required, Release::new(15, 8), Some(Release::new(24, 5)), Client, [],
              "Manages the nodes' power use.", "level",
              "sbatch ignores any other value." }
            { prefer, "prefer", None, Constraint, Required, Release::new(22, 5), None, Controller, [],
              "Names the features that nodes should have.", "a100|h100" }
            { priority, "priority", None, Priority, Required, Release::new(15, 8), None, Client, [],
              "Sets the job's priority.", "100",
              "For operators; the controller ignores it from others." }
            { profile, "profile", None, Profile, Required, Release::new(15, 8), None, Client, [],
              "Sets what the profiling plugin records.", "task,energy" }
            { propagate, "propagate", None, RLimits, Optional, Release::new(15, 8), None, Client, [],
              "Names the resource limits that the job inherits.", "STACK,NOFILE" }
            { qos, "qos", Some('q'), Names, Required, Release::new(15, 8), None, Controller, [],
              "Names the quality of service.", "normal",
              "Only with accounting." }
            { reboot, "reboot", None, Flag, None, Release::new(15, 8), None, Controller, [],
              "Reboots the nodes before the job starts.", "",
              "Administrators only." }
            { requeue, "requeue", None, Requeue, Optional, Release::new(15, 8), None, Client, [],
              "Allows to requeue the job.", "expedite",
              "The value needs 25.11." }
            { reservation, "reservation", None, Names, Required, Release::new(15, 8), None, Controller, [],
              "Runs the job in one of these reservations.", "course1" }
            { resources, "resources", None, Licenses, Required, Release::new(25, 11), None, Controller, [],
              "Asks for hierarchical resources.", "flat:2" }
            { resv_ports, "resv-ports", None, SmallNumber, Optional, Release::new(24, 5), None, Client, [],
              "Reserves this many communication ports.", "2",
              "Needs `stepmgr`." }
            { segment, "segment", None, SmallNumber, Required, Release::new(24, 5), None, Client, [],
              "Sets the size of the segments in which nodes of one block are handed out.", "4" }
            { signal, "signal", None, Signal, Required, Release::new(15, 8), None, Client, [],
              "Sends the job a signal before it ends.", "B:USR1@120" }
            { sockets_per_node, "sockets-per-node", None, SmallCount, Required, Release::new(15, 8), None, Client, [],
              "Asks for nodes with at least this many sockets.", "2" }
            { spread_job, "spread-job", None, Flag, None, Release::new(16, 5), None, Client, [],
              "Spreads the job over as many nodes as possible.", "" }
            { spread_segments, "spread-segments", None, Flag, None, Release::new(25, 11), None, Client, [],
              "Puts each segment into another block.", "" }
            { stepmgr, "stepmgr", None, Flag, None, Release::new(24, 5), None, Client, [],
              "Lets the job manage its own steps.", "" }
            { switches, "switches", None, Switches, Required, Release::new(15, 8), None, Client, [],
              "Sets the most network switches, and how long to wait for so few.", "1@24:00:00" }
            { thread_spec, "thread-spec", None, ThreadSpec, Required, Release::new(15, 8), None, Client, [],
              "Reserves this many threads per node for the system.", "8",
              "Cannot stand beside `core-spec`." }
            { threads_per_core, "threads-per-core", None, SmallCount, Required, Release::new(15, 8), None, Client, [],
              "Asks for nodes with at least this many threads per core.", "1" }
            { time, "time", Some('t'), Walltime, Required, Release::new(15, 8), None, Client, [],
              "Sets the time limit.", "04:00:00",
              "Zero means no limit, as `UNLIMITED` does." }
            { time_min, "time-min", None, Walltime, Required, Release::new(15, 8), None, Client, [],
              "Sets the shortest time limit that the scheduler may choose.", "30" }
            { tmp, "tmp", None, Memory, Required, Release::new(15, 8), None, Client, [],
              "Asks for nodes with at least this much temporary disk.", "32G" }
            { tres_bind, "tres-bind", None, TresBind, Required, Release::new(23, 11), None, Client, [],
              "Sets how tasks are bound to any kind of resource.", "gres/gpu:single:2" }
            { tres_per_task, "tres-per-task", None, TresPerTask, Required, Release::new(23, 2), None, Client, [],
              "Sets the resources of each task.", "cpu=4,gres/gpu=1" }
            { uid, "uid", None, Text, Required, Release::new(15, 8), None, Client, [],
              "Submits as this user.", "root",
              "Only root may." }
            { use_min_nodes, "use-min-nodes", None, Flag, None, Release::new(15, 8), None, Client, [],
              "Starts with the least of the range in `nodes`.", "" }
            { wait_all_nodes, "wait-all-nodes", None, ZeroOrOne, Required, Release::new(15, 8), None, Client, [],
              "Sets whether the job waits until all its nodes are booted.", "1" }
            { wckey, "wckey", None, Text, Required, Release::new(15, 8), None, Controller, [],
              "Charges the job's use to this workload key.", "projectx",
              "Written in lower case by the controller; no leading `*` from 25.05 on." }
        }
    };
}
