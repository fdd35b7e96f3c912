//! How many nodes, tasks and GPUs a job has, counted as sbatch counts.
//!
//! Slurm's source: the end of `_opt_verify` in `src/sbatch/opt.c` and of `validate_spec_cores` and its
//! neighbours in `src/common/slurm_opt.c`, `gres_job_state_validate` in `src/interfaces/gres.c`. The rules were
//! compared with `SLURM_NTASKS` and the number of processes of `srun` on 22.05.

use std::borrow::Cow;
use std::time::Duration;

use super::set::OptionSet;
use super::spec::{Argument, OptionSpec};
use super::table::{OPTIONS, find};
use super::types::{HostList, Walltime};
use super::view::View;
use super::{OptionValue, Source, ValueKind};

/// How many nodes, tasks and GPUs a job has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct JobSize {
    /// The fewest nodes.
    pub min_nodes: u32,
    /// The most nodes; the same as `min_nodes` unless `nodes` is a range or a list.
    pub max_nodes: u32,
    /// The number of tasks on the fewest nodes.
    pub tasks: u32,
    /// The number of GPUs on all of the fewest nodes together.
    pub gpus: u64,
    /// Whether Slurm may give it more nodes, each with a task of its own.
    may_grow: bool,
}

impl JobSize {
    /// Returns whether srun starts more than one process, or may.
    #[must_use]
    pub const fn takes_several_processes(&self) -> bool {
        self.tasks > 1 || self.may_grow
    }
}

impl OptionSet {
    /// Returns how many nodes, tasks and GPUs a job with these options has, as sbatch counts them; raw
    /// flags such as `--ntasks=2` or `-n2` count too.
    ///
    /// ```
    /// use slurm_core::options::{OptionSet, Source, lookup};
    /// let mut options = OptionSet::new();
    /// for (key, value) in [("gpus", "a100:2"), ("ntasks_per_gpu", "1")] {
    ///     let spec = lookup(key).unwrap();
    ///     options.set(spec, spec.parse(value).unwrap(), Source::CallSite);
    /// }
    /// assert_eq!(options.size().tasks, 2);
    /// options.extra("-n4".to_owned()).unwrap();
    /// assert_eq!(options.size().tasks, 4);
    /// ```
    #[must_use]
    pub fn size(&self) -> JobSize {
        size_of(&self.with_flags())
    }

    /// Returns the time limit that the options ask for, if they ask for one.
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        match self.get("time") {
            Some(OptionValue::Value(text)) => text.parse::<Walltime>().ok()?.as_limit(),
            _ => None,
        }
    }

    /// Returns the set with the options that its raw flags set, if the table has them; the flags themselves stay.
    #[must_use]
    pub fn with_flags(&self) -> Cow<'_, Self> {
        if self.extras().is_empty() {
            return Cow::Borrowed(self);
        }
        let mut all = self.clone();
        read_flags(&mut all);
        Cow::Owned(all)
    }
}

fn size_of(set: &OptionSet) -> JobSize {
    let view = View::new(set);
    let number = |key| view.number(key).map(small);
    // sbatch takes a list of nodes for the least number of them.
    let listed = view.typed::<HostList>("nodelist").and_then(|list| list.count());
    let listed = listed.map_or(1, |count| small(count as u64));
    let asked = view.nodes().map(|(min, max)| (small(min), small(max)));
    let (mut min_nodes, max_nodes) = match asked {
        Some((min, max)) => (min.max(listed).max(1), max),
        None => (listed.max(1), 1),
    };
    // The GPUs of the job divided by the GPUs of each node give the number of nodes.
    let per_job = view.gpus("gpus");
    let per_node = view.gpus("gpus_per_node").or_else(|| view.gpus("gres"));
    if let (None, Some(job), Some(node)) = (asked, per_job, per_node) {
        min_nodes = min_nodes.max(small(job / node));
    }
    let of_all_nodes = per_node.map(|node| node.saturating_mul(min_nodes.into()));
    let by_socket = || {
        let sockets = u64::from(layout(&view).0.unwrap_or(1)).saturating_mul(min_nodes.into());
        view.gpus("gpus_per_socket").map(|socket| socket.saturating_mul(sockets))
    };
    let gpus_of_job = per_job.or(of_all_nodes).or_else(by_socket);

    let tasks = number("ntasks")
        .or_else(|| arbitrary(&view))
        .or_else(|| Some(number("ntasks_per_node")?.saturating_mul(min_nodes)))
        .or_else(|| tasks_by_gpus(&view, gpus_of_job, asked.is_some().then_some(min_nodes)))
        .or_else(|| tasks_by_layout(&view, asked))
        .map(|tasks| tasks.max(1));
    let per_task = view.gpus("gpus_per_task").or_else(|| view.gpus("tres_per_task"));
    let of_tasks = || Some(per_task?.saturating_mul(tasks.unwrap_or(min_nodes).into()));
    // Without a number of tasks there is one on each of `nodes`. Nodes that are only named, or that GPUs are
    // spread over, do not make a job one of several processes.
    let by_nodes = asked.map_or(1, |_| min_nodes);
    JobSize {
        min_nodes,
        max_nodes: max_nodes.max(min_nodes),
        tasks: tasks.unwrap_or(by_nodes),
        gpus: gpus_of_job.or_else(of_tasks).unwrap_or(0),
        may_grow: tasks.is_none() && max_nodes > by_nodes,
    }
}

/// The number, or `u32::MAX` if it is larger.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// `--distribution=arbitrary` starts one task for each entry of the list of nodes.
fn arbitrary(view: &View<'_>) -> Option<u32> {
    view.text("distribution").filter(|layout| layout.starts_with("arbitrary"))?;
    let list: HostList = view.typed("nodelist")?;
    Some(small(list.count()? as u64))
}

/// Tasks for each GPU, or GPUs for each task.
fn tasks_by_gpus(view: &View<'_>, gpus_of_job: Option<u64>, nodes: Option<u32>) -> Option<u32> {
    let per_gpu = view.number("ntasks_per_gpu").or_else(|| view.number("ntasks_per_tres"));
    let per_task = view.gpus("gpus_per_task");
    let tasks = match (per_gpu, per_task) {
        // Without GPUs, each node has one.
        (Some(tasks), _) => gpus_of_job.or(nodes.map(u64::from))?.checked_mul(tasks),
        (None, Some(task)) => match view.gpus("gpus") {
            Some(job) => job.checked_div(task),
            // One task on each node.
            None => nodes.map(u64::from),
        },
        (None, None) => return None,
    };
    Some(tasks.map_or(u32::MAX, small))
}

/// Sockets, cores and threads as they are asked for, by their own options or by `extra_node_info`.
fn layout(view: &View<'_>) -> (Option<u32>, Option<u32>, Option<u32>) {
    let number = |key| view.number(key).and_then(|number| u32::try_from(number).ok());
    // The least of each field, such as `2-4`; `*` is none.
    let field = |index: usize| {
        let field = view.text("extra_node_info")?.split(':').nth(index)?;
        field.split('-').next()?.parse().ok()
    };
    let one_thread = view
        .text("hint")
        .is_some_and(|hint| hint.split(',').any(|word| word.eq_ignore_ascii_case("nomultithread")));
    (
        number("sockets_per_node").or_else(|| field(0)),
        number("cores_per_socket").or_else(|| field(1)),
        number("threads_per_core").or_else(|| field(2)).or(one_thread.then_some(1)),
    )
}

/// On a fixed number of nodes, sbatch makes a task for each thread of the layout that is asked for.
fn tasks_by_layout(view: &View<'_>, asked: Option<(u32, u32)>) -> Option<u32> {
    let nodes = match asked {
        Some((min, max)) if min == max => min.max(1),
        None if view.has("extra_node_info") => 1,
        _ => return None,
    };
    let (sockets, cores, threads) = layout(view);
    let fields = [sockets, cores, threads];
    let sets = fields.iter().any(Option::is_some);
    sets.then(|| fields.into_iter().flatten().fold(nodes, u32::saturating_mul))
}

/// Reads the raw flags as sbatch does and sets their options; flags that the table does not have are skipped.
fn read_flags(set: &mut OptionSet) {
    let flags = set.extras().to_vec();
    let mut flags = flags.iter().map(String::as_str).peekable();
    while let Some(flag) = flags.next() {
        let Some((spec, attached)) = option_of(flag) else { continue };
        let follows = spec.argument == Argument::Required && attached.is_none();
        let value = if follows { flags.next() } else { attached };
        if let Ok(value) = spec.parse(value.unwrap_or_default()) {
            set.set(spec, value, Source::CallSite);
        }
    }
}

/// The option that a raw flag means, by its name, the beginning of it or its letter, and the value that is
/// part of the flag.
fn option_of(flag: &str) -> Option<(&'static OptionSpec, Option<&str>)> {
    if let Some(long) = flag.strip_prefix("--") {
        let (name, value) =
            long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
        let abbreviated = || {
            let names = |spec: &&OptionSpec| {
                spec.name.starts_with(name)
                    || spec.aliases.iter().any(|alias| alias.starts_with(name))
            };
            let mut meant = OPTIONS.iter().filter(names);
            meant.next().filter(|_| !name.is_empty() && meant.next().is_none())
        };
        return Some((find(name).or_else(abbreviated)?, value));
    }
    let letter = flag.strip_prefix('-')?.chars().next()?;
    let spec = OPTIONS.iter().find(|spec| spec.short == Some(letter))?;
    let value = flag.get(1 + letter.len_utf8()..).filter(|value| !value.is_empty());
    // getopt reads `-n=2` as the value `=2`, which is not a number.
    Some((spec, value.filter(|_| spec.kind != ValueKind::Flag)))
}
