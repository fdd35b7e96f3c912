//! Jobs that run again under the same id: the settings for it.

use slurm_core::options::{OptionSet, OptionValue, Signal, Source};
use slurm_core::requeue::{DEFAULT_MAX_REQUEUES, OnTimeout, RequeuePolicy, Requeuer, TaskRequeue};
use slurm_core::task::{Task, TaskEntry, TaskKind};

use crate::array::ArrayBuilder;
use crate::backend::Backend;
use crate::backend::script::Launcher;
use crate::builder::JobBuilder;
use crate::cluster::Cluster;

/// What a job is warned with: programs for GPUs use SIGUSR1 themselves.
const WARNING_SIGNAL: &str = "USR2";
/// How long before the time limit, in seconds; half of it where that is less.
const WARNING_TIME: u64 = 60;

macro_rules! setters {
    ($($builder:ty)*) => {$(
        /// Runs that end before the work is done.
        impl<T: Task> $builder {
            /// Sets what happens when the job comes near its time limit.
            ///
            /// With [`OnTimeout::Requeue`](crate::OnTimeout::Requeue) the job is warned 60 seconds before (half of the limit where that is less, or as
            /// long as a `signal` option says), and [`stop_requested`](crate::JobContext::stop_requested) turns true. A
            /// task that then returns a value has it; one that returns [`Requeue`](crate::Requeue), or does not return
            /// before the limit, is run again under the same id. It finds its
            /// [`checkpoint_dir`](crate::JobContext::checkpoint_dir) as it left it.
            pub fn on_timeout(mut self, action: OnTimeout) -> Self {
                self.options.requeue.on_timeout = Some(action);
                self
            }

            /// Sets how often the job may be run again at its own request, 10 times by default. Beyond that it
            /// ends as [`NotRequeued`](crate::JobErrorKind::NotRequeued). What Slurm requeues by itself, after a
            /// preemption or the loss of a node, does not count.
            pub fn max_requeues(mut self, times: u32) -> Self {
                self.options.requeue.max_requeues = Some(times);
                self
            }
        }

        /// Shell lines and variables of the job before the task.
        impl<T: Task> $builder {
            /// Adds a line of shell that the job runs before the task, after the lines of the Slurmfile and of the
            /// attribute. A line that fails ends the job as [`NotStarted`](crate::JobErrorKind::NotStarted),
            /// unless it ends in `|| true`.
            pub fn setup(mut self, line: impl Into<String>) -> Self {
                self.options.setup(line.into());
                self
            }

            /// Sets an environment variable of the job.
            pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
                self.options.env(name, value.into());
                self
            }
        }
    )*};
}

setters!(JobBuilder<T> ArrayBuilder<'_, T>);

/// Decides how the job may be requeued, and adds the options that it takes.
pub(crate) fn policy(
    entry: &TaskEntry,
    of_call: TaskRequeue,
    options: &mut OptionSet,
    cluster: &Cluster,
) -> Result<RequeuePolicy, String> {
    let (of_task, of_file, backend) = (entry.requeue, cluster.environment(), cluster.backend());
    // The next run of a workflow goes on where this one was, unless nobody may start it.
    let usual = match entry.kind {
        TaskKind::Workflow if !is_forbidden(options) => OnTimeout::Requeue,
        _ => OnTimeout::Fail,
    };
    // A job that may not be requeued beats what a Slurmfile says of all.
    let of_all = of_file.on_timeout.filter(|_| !is_forbidden(options));
    let on_timeout = of_call.on_timeout.or(of_task.on_timeout).or(of_all).unwrap_or(usual);
    let max = of_call.max_requeues.or(of_task.max_requeues).or(of_file.max_requeues);
    let max = max.unwrap_or(DEFAULT_MAX_REQUEUES);
    let by = match backend.name() {
        _ if is_forbidden(options) => Requeuer::Nobody,
        "local" => Requeuer::Supervisor,
        _ => Requeuer::Scontrol,
    };
    let before_timeout = match on_timeout {
        OnTimeout::Requeue => Some(warning(options, backend)?),
        _ => None,
    };
    Ok(RequeuePolicy { by, max, before_timeout })
}

/// Makes the options warn the job before its time limit and let it be requeued, and returns how many
/// seconds before.
fn warning(options: &mut OptionSet, backend: &dyn Backend) -> Result<u64, String> {
    if is_forbidden(options) {
        return Err(
            "`on_timeout = \"requeue\"` needs a job that may be requeued: leave `no_requeue` \
                    and `requeue = false` out"
                .to_owned(),
        );
    }
    let limit = options.time_limit().map(|limit| limit.as_secs());
    let Some(OptionValue::Value(text)) = options.get("signal").cloned() else {
        let seconds = limit.map_or(WARNING_TIME, |limit| WARNING_TIME.min(limit / 2)).max(1);
        // A signal for the batch script alone does not reach what srun starts, and the other way round.
        let target = if backend.launcher(options) == Launcher::Srun { "" } else { "B:" };
        let signal = format!("{target}{WARNING_SIGNAL}@{seconds}");
        let set = options.put("signal", signal, Source::Default);
        set.map_err(|error| error.to_string())?;
        allow_requeue(options)?;
        return Ok(seconds);
    };
    let signal: Signal = text.parse().map_err(|error| format!("`signal`: {error}"))?;
    if ![10, 12].contains(&signal.number()) {
        return Err(format!(
            "`on_timeout = \"requeue\"` needs SIGUSR1 or SIGUSR2 as the warning, not `signal = \"{text}\"`"
        ));
    }
    allow_requeue(options)?;
    let seconds = u64::from(signal.seconds());
    Ok(limit.map_or(seconds, |limit| seconds.min(limit)).max(1))
}

fn is_forbidden(options: &OptionSet) -> bool {
    options.get("no_requeue").is_some_and(|value| *value != OptionValue::Unset)
        || options.get("requeue") == Some(&OptionValue::Unset)
}

fn allow_requeue(options: &mut OptionSet) -> Result<(), String> {
    if options.get("requeue").is_some() {
        return Ok(());
    }
    options.put("requeue", true, Source::Default).map_err(|error| error.to_string())
}
