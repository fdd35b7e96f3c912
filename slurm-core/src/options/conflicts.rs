//! Options that do not fit together.
//!
//! Slurm's source: `_test_gres_cnt`, `gres_job_state_validate` in `src/common/gres.c` (`src/interfaces/gres.c` from
//! 23.02 on), `_opt_verify` in `src/sbatch/opt.c`, `_valid_job_part`, `_job_create` in `src/slurmctld/job_mgr.c`,
//! `_valid_batch_features` in `src/slurmctld/job_scheduler.c`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::exclusions::PAIRS;
use super::set::OptionSet;
use super::types::resources::total;
use super::types::{DateTime, HostList, Walltime};
use super::view::{GPU_OPTIONS, View};

/// Two options that do not fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The key of the option that the rule starts from. For [`ConflictKind::Needs`] this option is missing.
    pub first: &'static str,
    /// The key of the option that does not fit; it is always set.
    pub second: &'static str,
    /// The kind of rule that is broken.
    pub kind: ConflictKind,
    /// The problem, in lower case and without a full stop.
    pub message: String,
    /// The advice.
    pub hint: String,
}

/// The kind of rule that a [`Conflict`] breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConflictKind {
    /// The two options exclude each other with any values.
    Exclusive,
    /// Their values contradict each other.
    Mismatch,
    /// The second option is refused without the first, which a later source may still set.
    Needs,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.message, self.hint)
    }
}

impl OptionSet {
    /// Returns the options that do not fit together: sbatch 22.05 or 25.11 refuses them, or silently drops one of
    /// them.
    ///
    /// Only values are compared; the controller checks the limits of the cluster. Before all sources are merged, a
    /// conflict of the kind [`ConflictKind::Needs`] may still go away.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        let mut rules = Rules { view: View::new(self), found: Vec::new() };
        rules.exclusive();
        rules.shares_of_gpus();
        rules.gpus();
        rules.tasks();
        rules.node_lists();
        rules.distribution();
        rules.times();
        rules.needs();
        rules.found
    }
}

/// The rules, and the conflicts that they have found.
struct Rules<'a> {
    view: View<'a>,
    found: Vec<Conflict>,
}

/// A number of GPUs, and the option that asks for it.
type Amount = Option<(u64, &'static str)>;

/// The GPUs of one type: of the job, and of each node, socket and task.
#[derive(Default)]
struct Gpus {
    job: Amount,
    node: Amount,
    socket: Amount,
    task: Amount,
}

impl Rules<'_> {
    fn add(&mut self, kind: ConflictKind, keys: [&'static str; 2], message: String, hint: &str) {
        let [first, second] = keys;
        self.found.push(Conflict { first, second, kind, message, hint: hint.to_owned() });
    }

    /// Adds a contradiction between two values.
    fn mismatch(&mut self, keys: [&'static str; 2], message: String, hint: &str) {
        self.found.push(mismatch(keys, message, hint));
    }

    fn exclusive(&mut self) {
        let mut pairs: Vec<_> = PAIRS.to_vec();
        if self.view.resources("tres_per_task").iter().any(|item| item.name == "cpu") {
            let hint = "take `cpu` out of `tres_per_task`, or drop it";
            let keys = ["cpus_per_gpu", "cpus_per_task"];
            pairs.extend(keys.map(|key| ("tres_per_task", key, hint)));
        }
        for (first, second, hint) in pairs {
            let agree = self.view.text(first) == Some(second);
            if self.view.has(first) && self.view.has(second) && !agree {
                let message = format!("`{first}` and `{second}` exclude each other");
                self.add(ConflictKind::Exclusive, [first, second], message, hint);
            }
        }
    }

    fn shares_of_gpus(&mut self) {
        let gres = self.view.resources("gres");
        let share = ["mps", "shard"].into_iter().find(|name| total(&gres, name) > 0);
        match (share, self.view.asks_for_gpus()) {
            (Some(share), Some(key)) => {
                let message =
                    format!("`gres` asks for shares of GPUs ({share}) and `{key}` for whole ones");
                self.mismatch(["gres", key], message, "ask for one of them");
            }
            (Some(share), None) if self.view.has("gpu_freq") => {
                let message =
                    format!("the frequency of a GPU cannot be set with shares of it ({share})");
                let hint = "ask for whole GPUs, or leave `gpu_freq` out";
                self.mismatch(["gres", "gpu_freq"], message, hint);
            }
            _ => {}
        }
        if total(&gres, "gpu") > 0 && self.view.has("gpus_per_node") {
            let message = "`gres` and `gpus_per_node` both set the GPUs of a node".to_owned();
            let hint = "Slurm keeps one of them silently, and 26.05 refuses both; take the GPUs out of one";
            self.mismatch(["gres", "gpus_per_node"], message, hint);
        }
    }

    /// Numbers of GPUs against each other, against tasks and against nodes, within one type of GPU. Slurm refuses
    /// one of them at a time, so one message for each type is enough.
    fn gpus(&mut self) {
        for gpus in self.gpus_by_type().values() {
            let broken = self.gpu_rules(gpus);
            self.found.extend(broken);
        }
    }

    /// The numbers asked for, by type; the empty name stands for any type.
    fn gpus_by_type(&self) -> BTreeMap<String, Gpus> {
        let mut all: BTreeMap<String, Gpus> = BTreeMap::new();
        for key in GPU_OPTIONS.into_iter().rev() {
            for item in self.view.resources(key) {
                if item.count == 0 || !["gpu", "gres/gpu"].contains(&item.name.as_str()) {
                    continue;
                }
                let gpus = all.entry(item.kind.unwrap_or_default()).or_default();
                let amount = match key {
                    "gpus" => &mut gpus.job,
                    "gres" | "gpus_per_node" => &mut gpus.node,
                    "gpus_per_socket" => &mut gpus.socket,
                    _ => &mut gpus.task,
                };
                *amount = Some((item.count, key));
            }
        }
        all
    }

    /// The first rule that the numbers of one type break.
    fn gpu_rules(&self, gpus: &Gpus) -> Option<Conflict> {
        let number = |key| (key, self.view.number(key).map(|number| (number, number)));
        let Gpus { job, node, socket, task } = *gpus;
        let nodes = self.view.nodes();
        let too_few = || {
            let ((job, key), (least, _)) = (job?, nodes?);
            let message = format!("{job} GPUs cannot be spread over {least} nodes");
            let hint = "ask for fewer nodes or more GPUs";
            (job < least).then(|| mismatch([key, "nodes"], message, hint))
        };
        let too_many = || {
            let ((job, key), (socket, of_socket)) = (job?, socket.filter(|_| node.is_none())?);
            let message = format!("{socket} GPUs per socket are more than {job} in all");
            let hint = "ask for fewer per socket";
            (socket > job).then(|| mismatch([key, of_socket], message, hint))
        };
        let on_nodes = ["GPUs in all", "on each node", "take", "nodes"];
        let on_sockets = ["GPUs per node", "per socket", "take", "sockets"];
        let for_tasks = |of_all, unit| [of_all, "for each task", "make", unit];
        let of_job = for_tasks("GPUs in all", "tasks");
        let of_node = for_tasks("GPUs per node", "tasks per node");
        let of_socket = for_tasks("GPUs per socket", "tasks per socket");
        let rules = [
            quotient(job, node, ("nodes", nodes), on_nodes),
            too_few(),
            quotient(node, socket, number("sockets_per_node"), on_sockets),
            too_many(),
            quotient(job, task, number("ntasks"), of_job),
            quotient(node, task, number("ntasks_per_node"), of_node),
            quotient(socket, task, number("ntasks_per_socket"), of_socket),
        ];
        rules.into_iter().flatten().next()
    }

    fn tasks(&mut self) {
        let number = |key| self.view.number(key);
        let (tasks, per_core) = (number("ntasks"), number("ntasks_per_core"));
        let (per_gpu, per_tres) = (number("ntasks_per_gpu"), number("ntasks_per_tres"));
        let (per_node, threads) = (number("ntasks_per_node"), number("threads_per_core"));
        if let (Some(gpu), Some(tres)) = (per_gpu, per_tres)
            && gpu != tres
        {
            let message = format!("`ntasks_per_gpu` is {gpu} and `ntasks_per_tres` {tres}");
            let hint = "they mean the same; drop `ntasks_per_tres`";
            self.mismatch(["ntasks_per_gpu", "ntasks_per_tres"], message, hint);
        }
        for (key, per_gpu) in [("ntasks_per_gpu", per_gpu), ("ntasks_per_tres", per_tres)] {
            if let (Some(per_gpu @ 1..), Some(tasks)) = (per_gpu, tasks)
                && self.view.asks_for_gpus().is_none()
                && tasks % per_gpu != 0
            {
                let message = format!("{tasks} tasks are not a multiple of {per_gpu} for each GPU");
                self.mismatch([key, "ntasks"], message, "make it a multiple, or drop one");
            }
        }
        if let (Some((_, most @ 1..)), Some(per_node), Some(tasks)) =
            (self.view.nodes(), per_node, tasks)
            && tasks > most.saturating_mul(per_node)
        {
            let message =
                format!("{tasks} tasks do not fit on {most} nodes with {per_node} tasks on each");
            self.mismatch(["nodes", "ntasks"], message, "leave one of the three out");
        }
        if let (Some(threads), Some(tasks)) = (threads, per_core)
            && tasks > threads
        {
            let message = format!("{tasks} tasks per core are more than its {threads} threads");
            let keys = ["threads_per_core", "ntasks_per_core"];
            self.mismatch(keys, message, "lower `ntasks_per_core`");
        }
    }

    fn node_lists(&mut self) {
        // A list that only the cluster knows is not checked.
        let hosts = |key| -> Option<BTreeSet<String>> {
            Some(self.view.typed::<HostList>(key)?.hosts().ok()?.into_iter().collect())
        };
        let Some(wanted) = hosts("nodelist") else { return };
        let both =
            hosts("exclude").and_then(|unwanted| wanted.intersection(&unwanted).next().cloned());
        if let Some((_, most @ 1..)) = self.view.nodes()
            && wanted.len() as u64 > most
        {
            let message =
                format!("`nodelist` names {} nodes and `nodes` allows {most}", wanted.len());
            self.mismatch(["nodelist", "nodes"], message, "name fewer, or raise `nodes`");
        }
        if let Some(both) = both {
            let message = format!("`nodelist` asks for node `{both}` and `exclude` refuses it");
            self.mismatch(["nodelist", "exclude"], message, "take it out of one of them");
        }
    }

    fn distribution(&mut self) {
        let layout = self.view.text("distribution").unwrap_or_default();
        let plane = layout.strip_prefix("plane=").and_then(|size| size.parse::<u64>().ok());
        if let (Some(plane @ 1..), Some((nodes @ 2.., _))) = (plane, self.view.nodes()) {
            // sbatch counts one task when none are given.
            let tasks = self.view.number("ntasks").unwrap_or(1);
            if tasks / plane < nodes && (nodes - 1).saturating_mul(plane) >= tasks {
                let message =
                    format!("{tasks} tasks in planes of {plane} do not reach {nodes} nodes");
                let hint = "ask for more tasks (`ntasks`), fewer nodes or smaller planes";
                self.mismatch(["distribution", "nodes"], message, hint);
            }
        }
        if !layout.starts_with("arbitrary") {
            return;
        }
        if !self.view.has("nodelist") && !self.view.has("nodefile") {
            let message = "`distribution = \"arbitrary\"` needs a list of nodes".to_owned();
            let keys = ["nodelist", "distribution"];
            self.add(ConflictKind::Needs, keys, message, "set `nodelist` or `nodefile`");
        } else if self.view.has("nodes") {
            let message = "the list of nodes alone says where tasks go".to_owned();
            let hint = "drop `nodes`; sbatch refuses it from 23.11 on";
            self.mismatch(["distribution", "nodes"], message, hint);
        }
    }

    fn times(&mut self) {
        let (begin, deadline) = (self.view.typed::<DateTime>("begin"), self.view.typed("deadline"));
        if let (Some(begin), Some(deadline)) = (begin, deadline)
            && DateTime::is_before(deadline, begin)
        {
            let message = format!("the deadline {deadline} comes before the begin {begin}");
            self.mismatch(["begin", "deadline"], message, "move one of them");
        }
        let limit = self.view.typed::<Walltime>("time").and_then(Walltime::as_limit);
        let least = self.view.typed::<Walltime>("time_min");
        if let (Some(limit), Some(least)) = (limit, least)
            && least.as_limit().is_none_or(|least| least > limit)
        {
            let message =
                format!("`time_min` ({least}) is longer than `time` ({})", Walltime::from(limit));
            self.mismatch(["time", "time_min"], message, "lower `time_min`");
        }
    }

    /// Options that are refused without another one.
    fn needs(&mut self) {
        let has = |key| self.view.has(key);
        let gpus = self.view.asks_for_gpus().is_some();
        let tasks_per_gpu = has("ntasks_per_gpu") || has("ntasks_per_tres");
        // A fixed number of nodes gives Slurm a number of tasks.
        let fixed_nodes = self.view.nodes().is_some_and(|(least, most)| least == most);
        let tasks =
            has("ntasks") || (fixed_nodes && (has("ntasks_per_node") || !has("cpus_per_task")));
        let for_gpu = |key| {
            (key, "gpus", gpus || (tasks_per_gpu && tasks), "a request for GPUs", "set `gpus`")
        };
        let for_tasks = |key| {
            let hint = "set `gpus`, `ntasks` or `nodes`";
            let needed = "a request for GPUs, or a number of tasks";
            (key, "gpus", gpus || has("ntasks") || fixed_nodes, needed, hint)
        };
        let rules = [
            for_gpu("mem_per_gpu"),
            for_gpu("cpus_per_gpu"),
            for_tasks("ntasks_per_gpu"),
            for_tasks("ntasks_per_tres"),
            (
                "gpus_per_task",
                "ntasks",
                has("gpus") || tasks,
                "the number of tasks or of GPUs",
                "set `ntasks` or `gpus`",
            ),
            (
                "gpus_per_socket",
                "sockets_per_node",
                has("sockets_per_node"),
                "the number of sockets",
                "set `sockets_per_node`",
            ),
            ("batch", "constraint", has("constraint"), "", "set `constraint`"),
        ];
        for (key, missing, is_there, needed, hint) in rules {
            if self.view.has(key) && !is_there {
                let message = match key {
                    "batch" => "`batch` names a part of `constraint`, which is not set".to_owned(),
                    _ => format!("`{key}` needs {needed}"),
                };
                self.add(ConflictKind::Needs, [missing, key], message, hint);
            }
        }
    }
}

/// Checks that `whole` is a multiple of `part`, and their quotient the number that an option asks for.
fn quotient(
    whole: Amount,
    part: Amount,
    (key, asked): (&'static str, Option<(u64, u64)>),
    [of_all, of_part, verb, unit]: [&str; 4],
) -> Option<Conflict> {
    let ((whole, whole_key), (part, part_key)) = (whole?, part?);
    if whole % part != 0 {
        let message = format!("{whole} {of_all} are not a multiple of {part} {of_part}");
        return Some(mismatch([whole_key, part_key], message, "make it a multiple, or drop one"));
    }
    let quotient = whole / part;
    let (least, most) = asked.filter(|(least, most)| !(*least..=*most).contains(&quotient))?;
    let asked = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let gpus = of_all.trim_end_matches(" in all");
    let message =
        format!("{whole} {gpus} with {part} {of_part} {verb} {quotient} {unit}, not {asked}");
    // Sockets are a part of a node, whose GPUs are counted as a whole.
    let first = if key == "sockets_per_node" { whole_key } else { part_key };
    Some(mismatch([first, key], message, "leave one of the three out"))
}

fn mismatch(keys: [&'static str; 2], message: String, hint: &str) -> Conflict {
    let [first, second] = keys;
    Conflict { first, second, kind: ConflictKind::Mismatch, message, hint: hint.to_owned() }
}
