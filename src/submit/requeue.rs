//! Settings of jobs that run again under the same id.

use slurm_core::options::{OptionSet, OptionValue, Signal, Source};
use slurm_core::requeue::{DEFAULT_MAX_REQUEUES, OnTimeout, RequeuePolicy, Requeuer, TaskRequeue};
use slurm_core::task::{TaskEntry, TaskKind};

use crate::backend::Backend;
use crate::backend::script::Launcher;
use crate::cluster::Cluster;
use crate::error::OptionProblem;
use crate::model::BackendKind;

/// The signal of the warning. Programs for GPUs use SIGUSR1 themselves.
const WARNING_SIGNAL: &str = "USR2";
/// The time between the warning and the time limit, in seconds; half of the limit if that is less.
const WARNING_TIME: u64 = 60;

/// Decides how the job may be requeued, and adds the necessary options.
pub(crate) fn policy(
    entry: &TaskEntry,
    of_call: TaskRequeue,
    options: &mut OptionSet,
    cluster: &Cluster,
) -> Result<RequeuePolicy, OptionProblem> {
    let (of_task, of_file, backend) = (entry.requeue, cluster.environment(), cluster.backend());
    // By default, a workflow is requeued and continues from its journal, unless requeueing is forbidden.
    let usual = match entry.kind {
        TaskKind::Workflow if !is_forbidden(options) => OnTimeout::Requeue,
        _ => OnTimeout::Fail,
    };
    // If the job must not be requeued, that has precedence over a general setting in the Slurmfile.
    let of_all = of_file.on_timeout.filter(|_| !is_forbidden(options));
    let on_timeout = of_call.on_timeout.or(of_task.on_timeout).or(of_all).unwrap_or(usual);
    let max = of_call.max_requeues.or(of_task.max_requeues).or(of_file.max_requeues);
    let max = max.unwrap_or(DEFAULT_MAX_REQUEUES);
    let by = match backend.kind() {
        _ if is_forbidden(options) => Requeuer::Nobody,
        BackendKind::Local => Requeuer::Supervisor,
        _ => Requeuer::Scontrol,
    };
    let before_timeout = match on_timeout {
        OnTimeout::Requeue => Some(warning(options, backend)?),
        _ => None,
    };
    Ok(RequeuePolicy { by, max, before_timeout })
}

/// Adds the options for a warning before the time limit and for requeueing. Returns the seconds between the
/// warning and the limit.
fn warning(options: &mut OptionSet, backend: &dyn Backend) -> Result<u64, OptionProblem> {
    if is_forbidden(options) {
        let message = "`on_timeout = \"requeue\"` needs a job that may be requeued";
        let problem = OptionProblem::with("on_timeout", message);
        return Err(problem.hint("remove `no_requeue` and `requeue = false`"));
    }
    let limit = options.time_limit().map(|limit| limit.as_secs());
    let Some(OptionValue::Value(text)) = options.get("signal").cloned() else {
        let seconds = limit.map_or(WARNING_TIME, |limit| WARNING_TIME.min(limit / 2)).max(1);
        // A signal for the batch script alone does not reach processes of srun, and a signal for these does not
        // reach the batch script.
        let target = if backend.launcher(options) == Launcher::Srun { "" } else { "B:" };
        let signal = format!("{target}{WARNING_SIGNAL}@{seconds}");
        options.put("signal", signal, Source::Default)?;
        allow_requeue(options)?;
        return Ok(seconds);
    };
    let source = options.source("signal");
    let refused = |message| OptionProblem::with_value("signal", &text, message).set_in(source);
    let signal: Signal = text.parse().map_err(|error| refused(format!("`signal`: {error}")))?;
    if ![10, 12].contains(&signal.number()) {
        return Err(refused(format!(
            "`on_timeout = \"requeue\"` needs SIGUSR1 or SIGUSR2 as the warning, not `signal = \"{text}\"`"
        )));
    }
    allow_requeue(options)?;
    let seconds = u64::from(signal.seconds());
    Ok(limit.map_or(seconds, |limit| seconds.min(limit)).max(1))
}

fn is_forbidden(options: &OptionSet) -> bool {
    options.get("no_requeue").is_some_and(|value| *value != OptionValue::Unset)
        || options.get("requeue") == Some(&OptionValue::Unset)
}

fn allow_requeue(options: &mut OptionSet) -> Result<(), OptionProblem> {
    if options.get("requeue").is_none() {
        options.put("requeue", true, Source::Default)?;
    }
    Ok(())
}
