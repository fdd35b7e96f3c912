//! Questions that a running task can ask about its job.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use crate::durable;
use crate::ids::{JobId, SubmissionId};
use crate::layout::{END_TIME, JobDir};
use crate::options::HostList;

/// The job of a running task.
///
/// A task whose first parameter is `&JobContext` gets it from the runner. A test of such a function
/// passes [`JobContext::outside`].
#[derive(Clone, Debug)]
pub struct JobContext {
    job_id: Option<JobId>,
    submission_id: Option<SubmissionId>,
    array_job_id: Option<JobId>,
    array_index: Option<u32>,
    item: Option<u64>,
    restart_count: u32,
    nodes: Vec<String>,
    node_index: usize,
    rank: usize,
    local_rank: usize,
    world_size: usize,
    local_world_size: usize,
    cpus: usize,
    memory_mib: Option<u64>,
    gpus: Vec<String>,
    deadline: Option<SystemTime>,
    dir: JobDir,
    stop: StopFlag,
}

/// Set when the job was asked to stop; see [`JobContext::stop_requested`].
#[derive(Clone, Debug, Default)]
pub struct StopFlag {
    requested: Arc<AtomicBool>,
    watched: Arc<AtomicBool>,
    last: Arc<AtomicBool>,
}

impl StopFlag {
    /// Asks the task to stop.
    pub fn request(&self) {
        self.requested.store(true, Ordering::SeqCst);
    }

    /// Asks the task to stop for the last time: the job is about to be killed.
    pub fn request_at_last(&self) {
        self.last.store(true, Ordering::SeqCst);
        self.request();
    }

    /// Returns whether nothing should be begun any more.
    pub fn is_last(&self) -> bool {
        self.last.load(Ordering::SeqCst)
    }

    /// Returns whether the task has ever asked whether it should stop, and so can be trusted to.
    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::SeqCst)
    }
}

impl JobContext {
    /// Returns the context of a function that runs outside of any job: one process on one node
    /// named `localhost`, with `dir` as its job directory.
    pub fn outside(dir: impl Into<PathBuf>) -> Self {
        Self::from_environment(|_| None, JobDir::at(dir), StopFlag::default())
    }

    /// Reads the context from the variables that Slurm sets in a job, through `variable`.
    ///
    /// A variable that is missing or makes no sense counts as not set.
    #[doc(hidden)]
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
        dir: JobDir,
        stop: StopFlag,
    ) -> Self {
        let number = |name: &str| variable(name).and_then(|text| text.trim().parse::<u64>().ok());
        let count = |name: &str| number(name).and_then(|n| usize::try_from(n).ok());
        let id = |name: &str| variable(name).and_then(|text| text.parse::<JobId>().ok());

        let nodes = variable("SLURM_JOB_NODELIST")
            .or_else(|| variable("SLURM_NODELIST"))
            .and_then(|list| list.parse::<HostList>().ok()?.hosts().ok())
            .filter(|nodes| !nodes.is_empty())
            .unwrap_or_else(|| vec!["localhost".to_owned()]);
        let node_index = count("SLURM_NODEID").unwrap_or(0);
        let world_size =
            count("SLURM_NTASKS").or_else(|| count("SLURM_NPROCS")).unwrap_or(1).max(1);
        let local_world_size = variable("SLURM_STEP_TASKS_PER_NODE")
            .or_else(|| variable("SLURM_TASKS_PER_NODE"))
            .and_then(|text| tasks_on_node(&text, node_index))
            .unwrap_or_else(|| world_size.div_ceil(nodes.len()));
        let cpus = count("SLURM_CPUS_PER_TASK")
            .or_else(|| count("SLURM_CPUS_ON_NODE").map(|cpus| cpus / local_world_size.max(1)))
            .unwrap_or(1)
            .max(1);
        let cpus_on_node = count("SLURM_CPUS_ON_NODE").unwrap_or(cpus) as u64;
        let memory_mib = number("SLURM_MEM_PER_NODE")
            .or_else(|| number("SLURM_MEM_PER_CPU").map(|mib| mib.saturating_mul(cpus_on_node)))
            .filter(|mib| *mib > 0);
        let gpus = ["SLURM_STEP_GPUS", "SLURM_JOB_GPUS", "CUDA_VISIBLE_DEVICES"]
            .iter()
            .find_map(|name| variable(name))
            .map(|list| list.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect())
            .unwrap_or_default();

        Self {
            job_id: id("SLURM_JOB_ID"),
            submission_id: None,
            array_job_id: id("SLURM_ARRAY_JOB_ID"),
            array_index: number("SLURM_ARRAY_TASK_ID").and_then(|n| u32::try_from(n).ok()),
            item: None,
            restart_count: number("SLURM_RESTART_COUNT")
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0),
            nodes,
            node_index,
            rank: count("SLURM_PROCID").unwrap_or(0),
            local_rank: count("SLURM_LOCALID").unwrap_or(0),
            world_size,
            local_world_size,
            cpus,
            memory_mib,
            gpus,
            deadline: number("SLURM_JOB_END_TIME")
                .or_else(|| number(END_TIME))
                .map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
            dir,
            stop,
        }
    }

    /// Sets what only the spec knows: the submission.
    #[doc(hidden)]
    #[must_use]
    pub fn with_submission(mut self, submission_id: SubmissionId) -> Self {
        self.submission_id = Some(submission_id);
        self
    }

    /// Returns the job's id, or `None` outside of a job.
    pub fn job_id(&self) -> Option<JobId> {
        self.job_id
    }

    /// Returns the submission's id, or `None` outside of a job.
    pub fn submission_id(&self) -> Option<&SubmissionId> {
        self.submission_id.as_ref()
    }

    /// Returns the id that the elements of the array share, or `None` outside of an array.
    pub fn array_job_id(&self) -> Option<JobId> {
        self.array_job_id
    }

    /// Returns the element's index, or `None` outside of an array.
    pub fn array_index(&self) -> Option<u32> {
        self.array_index
    }

    /// Returns the index of the call among all calls of the array, or `None` outside of one.
    ///
    /// It is the position of the item in the arguments of `map`; an element may run several items.
    pub fn item(&self) -> Option<u64> {
        self.item
    }

    /// Sets the call that the context is for.
    #[doc(hidden)]
    pub fn set_item(&mut self, index: u64) {
        self.item = Some(index);
    }

    /// Returns how often the job was restarted: 0 in its first run.
    pub fn restart_count(&self) -> u32 {
        self.restart_count
    }

    /// Returns the names of the job's nodes, at least one.
    pub fn nodes(&self) -> &[String] {
        &self.nodes
    }

    /// Returns the position of this process's node among [`nodes`](Self::nodes).
    pub fn node_index(&self) -> usize {
        self.node_index
    }

    /// Returns the name of the node that this process runs on, as Slurm knows it.
    pub fn node(&self) -> &str {
        self.nodes.get(self.node_index).map_or("localhost", String::as_str)
    }

    /// Returns the rank of this process among all processes of the job: 0 to `world_size() - 1`.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Returns the rank of this process on its node.
    pub fn local_rank(&self) -> usize {
        self.local_rank
    }

    /// Returns the number of processes of the job (`ntasks`).
    pub fn world_size(&self) -> usize {
        self.world_size
    }

    /// Returns the number of processes of the job on this node.
    pub fn local_world_size(&self) -> usize {
        self.local_world_size
    }

    /// Returns the number of CPUs that this process may use.
    pub fn cpus(&self) -> usize {
        self.cpus
    }

    /// Returns the job's memory on this node in MiB, or `None` if it has the whole node or is not limited.
    pub fn memory_mib(&self) -> Option<u64> {
        self.memory_mib
    }

    /// Returns the ids of the GPUs that the job has on this node.
    pub fn gpus(&self) -> &[String] {
        &self.gpus
    }

    /// Returns when the time limit will end the job, or `None` without a limit.
    ///
    /// Exact from Slurm 23.02 on, unless the limit is changed while the job runs. Before, it is the start of the batch
    /// script plus the limit that was asked for; a limit that only the partition sets is not known.
    pub fn deadline(&self) -> Option<SystemTime> {
        self.deadline
    }

    /// Returns the time that is left until the [`deadline`](Self::deadline), or `None` without a limit.
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// Returns whether the job was asked to stop: by SIGTERM (cancelled, preempted or out of time) or
    /// by the warning signal of the `signal` option (SIGUSR1 or SIGUSR2).
    ///
    /// A task that has called this once is trusted to stop by itself: SIGTERM does not end it any more,
    /// and Slurm kills it after `KillWait` seconds (30 by default) if it goes on.
    pub fn stop_requested(&self) -> bool {
        self.stop.watched.store(true, Ordering::SeqCst);
        self.stop.requested.load(Ordering::SeqCst)
    }

    /// Returns the job's directory. It belongs to the library; use [`output_dir`](Self::output_dir).
    pub fn job_dir(&self) -> &Path {
        self.dir.path()
    }

    /// Returns the directory for the task's own files, creating it if needed.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn output_dir(&self) -> io::Result<PathBuf> {
        let path = self.dir.output();
        durable::create_dirs(&path)?;
        Ok(path)
    }

    /// Returns the directory for files that the task leaves to its next run, and creates it if needed.
    ///
    /// It is the same in every run of the job, and each item of an array has one of its own. Write a checkpoint under
    /// another name and rename it, as the run may end in the middle.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn checkpoint_dir(&self) -> io::Result<PathBuf> {
        let mut path = self.dir.checkpoint();
        path.extend(self.item.map(|item| item.to_string()));
        durable::create_dirs(&path)?;
        Ok(path)
    }

    /// Returns the variables by which `torch.distributed`, and libraries that follow it, find their peers:
    /// `MASTER_ADDR`, `MASTER_PORT`, `WORLD_SIZE`, `RANK`, `LOCAL_RANK`, `LOCAL_WORLD_SIZE`, `NODE_RANK`.
    ///
    /// The master is the first node. The port lies between 20,000 and 29,999 and follows from the job id,
    /// so two jobs on one node seldom meet.
    pub fn torch_distributed_env(&self) -> BTreeMap<&'static str, String> {
        let port = 20_000 + self.job_id.map_or(9_500, JobId::get) % 10_000;
        BTreeMap::from([
            ("MASTER_ADDR", self.nodes.first().map_or("localhost", String::as_str).to_owned()),
            ("MASTER_PORT", port.to_string()),
            ("WORLD_SIZE", self.world_size.to_string()),
            ("RANK", self.rank.to_string()),
            ("LOCAL_RANK", self.local_rank.to_string()),
            ("LOCAL_WORLD_SIZE", self.local_world_size.to_string()),
            ("NODE_RANK", self.node_index.to_string()),
        ])
    }
}

/// Reads `2(x3),1`: the number of tasks on each node, run-length encoded.
fn tasks_on_node(text: &str, node: usize) -> Option<usize> {
    let mut before = 0;
    for part in text.split(',') {
        let (tasks, repeat) = match part.split_once("(x") {
            Some((tasks, repeat)) => (tasks, repeat.strip_suffix(')')?.parse().ok()?),
            None => (part, 1_usize),
        };
        before += repeat;
        if node < before {
            return tasks.trim().parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(variables: &[(&str, &str)]) -> JobContext {
        let lookup = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        JobContext::from_environment(lookup, JobDir::at("/jobs/x"), StopFlag::default())
    }

    #[test]
    fn outside_of_a_job_there_is_one_process_on_one_node() {
        let ctx = JobContext::outside("/tmp/x");
        assert_eq!((ctx.rank(), ctx.world_size(), ctx.node()), (0, 1, "localhost"));
        assert_eq!((ctx.job_id(), ctx.deadline(), ctx.memory_mib()), (None, None, None));
    }

    #[test]
    fn the_place_of_a_process_among_its_peers_is_read() {
        let ctx = context(&[
            ("SLURM_JOB_ID", "4242"),
            ("SLURM_JOB_NODELIST", "gpu[08-10],login1"),
            ("SLURM_NODEID", "3"),
            ("SLURM_PROCID", "6"),
            ("SLURM_LOCALID", "0"),
            ("SLURM_NTASKS", "7"),
            ("SLURM_TASKS_PER_NODE", "2(x3),1"),
            ("SLURM_CPUS_ON_NODE", "8"),
            ("SLURM_MEM_PER_CPU", "100"),
            ("SLURM_JOB_GPUS", "0,1"),
            ("SLURM_RESTART_COUNT", "2"),
        ]);
        assert_eq!(ctx.nodes(), ["gpu08", "gpu09", "gpu10", "login1"]);
        assert_eq!((ctx.node(), ctx.rank(), ctx.local_world_size()), ("login1", 6, 1));
        assert_eq!((ctx.cpus(), ctx.memory_mib(), ctx.gpus().len()), (8, Some(800), 2));
        assert_eq!(ctx.restart_count(), 2);
        let env = ctx.torch_distributed_env();
        assert_eq!((env["MASTER_ADDR"].as_str(), env["MASTER_PORT"].as_str()), ("gpu08", "24242"));
    }

    #[test]
    fn variables_without_a_meaning_count_as_not_set() {
        let ctx = context(&[
            ("SLURM_JOB_ID", "x"),
            ("SLURM_JOB_NODELIST", "n[3-1"),
            ("SLURM_NTASKS", "-4"),
            ("SLURM_TASKS_PER_NODE", "2(x"),
        ]);
        assert_eq!((ctx.job_id(), ctx.world_size(), ctx.nodes().len()), (None, 1, 1));
    }
}
