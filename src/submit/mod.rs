//! The way from a call to a job.

mod about;
pub(crate) mod dependency;
mod files;
mod options;
mod requeue;
pub(crate) mod search;
pub(crate) mod settle;
pub(crate) mod workflow;

use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use slurm_core::codec::CodecError;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::options::{OptionSet, OptionSpec, OptionValue, Release, Source};
use slurm_core::spec::{Argument, Spec, Work};
use slurm_core::task::{TaskEntry, TaskKind};

use crate::backend::script::{BASH, Script};
use crate::backend::{Backend, Prepared, Submission, give_up, withdraw};
use crate::cluster::Cluster;
use crate::error::{Error, OptionProblem, Result, SubmitError};
use crate::model::{
    BackendKind, Edge, ExplainedArray, Explanation, JobHandle, Part, Prologue, explained,
};
use crate::progress::interrupt::Submitting;
use crate::submit::settle::Look;

pub(crate) use files::Files;
pub(crate) use options::{CallOptions, given};

/// A call or an array whose options are merged.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) entry: &'static TaskEntry,
    pub(crate) spec: &'a Spec,
    pub(crate) dir: JobDir,
    pub(crate) edges: Vec<Edge>,
    /// The edges that are still open.
    pub(crate) waits: Vec<Edge>,
    /// The parameters whose arguments hold a secret.
    pub(crate) secrets: Vec<&'static str>,
    pub(crate) part: Option<Part>,
    /// The directory of the workflow whose journal this one continues.
    pub(crate) resumed: Option<PathBuf>,
    /// The shell lines and variables of the job before the task.
    pub(crate) prologue: Prologue,
}

pub(crate) fn prepare(
    cluster: &Cluster,
    call: Call<'_>,
    mut options: OptionSet,
    binary: &Path,
) -> Result<Prepared> {
    let Call { entry, spec, dir, edges: after, waits, part, secrets, resumed, prologue } = call;
    let backend = cluster.backend();
    let submission_id = spec.submission_id.clone();
    add_defaults(&mut options, entry, &submission_id, &dir, part.is_some())?;
    let mut warnings = check_release(backend, &options)?;
    warnings.extend(backend.warnings(&options));
    let script = Script {
        options: &options,
        task: entry.name,
        submission_id: &submission_id,
        job_base_dir: cluster.job_base_dir(),
        binary,
        dir: &dir,
        first: part.map(|part| part.first),
        launcher: backend.launcher(&options),
        starts_in_submit_dir: backend.kind() == BackendKind::Local,
        tries_program: !cluster.runs_this_program_here(),
        has_bash: backend.kind() == BackendKind::Slurm && Path::new(BASH).exists(),
        prologue: &prologue,
    };
    let size = |argument: &Argument| match argument {
        Argument::Inline(bytes) => Some(bytes.len() as u64),
        _ => None,
    };
    let names = entry.parameters.iter().map(|parameter| parameter.name.to_owned());
    let (arguments, array) = match &spec.work {
        Work::Call(arguments) => (arguments.iter().map(size).collect(), None),
        Work::Items(items) => {
            (vec![None; entry.parameters.len()], Some(ExplainedArray::of(items, part)))
        }
    };
    let explanation = Explanation {
        submission_id: submission_id.clone(),
        task: entry.name.to_owned(),
        signature: entry.signature,
        arguments: names.zip(arguments).collect(),
        array,
        backend: backend.kind(),
        dir: dir.path().to_owned(),
        after,
        options: explained(&options),
        extra: options.extras().to_vec(),
        shell: prologue.shell.clone(),
        login: prologue.login,
        setup: prologue.setup.clone(),
        env: prologue.env.clone(),
        warnings,
        script: script.render(),
    };
    let spec = spec.to_bytes(entry.name, entry.signature).map_err(|error| Error::Argument {
        parameter: entry.parameters.first().map_or("", |parameter| parameter.name),
        source: CodecError::Encode { reason: error.to_string() },
    })?;
    let workflow = match entry.kind {
        TaskKind::Workflow => {
            let state_dir = resumed.unwrap_or_else(|| dir.path().to_owned());
            let settings = workflow::Settings::new(cluster, binary, state_dir);
            let text = serde_json::to_vec_pretty(&settings);
            Some(text.map_err(|error| Error::not_json("the workflow's settings", &error))?)
        }
        _ => None,
    };
    let within = cluster.ledger().within();
    let (part, first) = part.map_or((0, 0), |part| (part.number, part.first));
    let holds_secrets = false;
    let mut prepared = Prepared {
        entry,
        submission_id,
        part,
        first,
        dir,
        options,
        waits,
        refusals: 0,
        spec,
        workflow,
        within,
        explanation,
        holds_secrets,
    };
    let file = prepared.dir.spec();
    prepared.note_secrets(&secrets, &file);
    Ok(prepared)
}

/// Refuses options that the cluster's release of Slurm does not have. If the release is not known, returns
/// warnings instead.
fn check_release(backend: &dyn Backend, options: &OptionSet) -> Result<Vec<String>> {
    let doubtful = problems_with(options, Release::OLDEST, Release::NEWEST);
    let doubtful: Vec<String> = doubtful.iter().map(ToString::to_string).collect();
    if doubtful.is_empty() {
        return Ok(doubtful);
    }
    let Some(release) = backend.release() else { return Ok(doubtful) };
    let problems: Vec<_> = problems_with(options, release, release)
        .into_iter()
        .map(|problem| problem.hint(format!("this cluster has {release}")))
        .collect();
    if problems.is_empty() { Ok(Vec::new()) } else { Err(problems.into()) }
}

/// Returns the problems with options that not every release of Slurm from `oldest` to `newest` has.
fn problems_with(options: &OptionSet, oldest: Release, newest: Release) -> Vec<OptionProblem> {
    let problem = |spec: &OptionSpec, message| {
        OptionProblem::with(spec.key, message).set_in(options.source(spec.key))
    };
    let newer = options.newer_than(oldest).into_iter().map(|spec| {
        let since = spec.since_with(options.get(spec.key).unwrap_or(&OptionValue::Unset));
        problem(spec, format!("`{}` as it is set here needs Slurm {since}", spec.key))
    });
    let older = options.older_than(newest).into_iter().map(|spec| {
        let key = spec.key;
        problem(spec, format!("`{key}` as it is set here is gone from newer releases of Slurm"))
    });
    newer.chain(older).collect()
}

fn add_defaults(
    options: &mut OptionSet,
    entry: &TaskEntry,
    submission_id: &SubmissionId,
    dir: &JobDir,
    is_array: bool,
) -> Result<()> {
    let (output, error) = if is_array {
        (dir.element_stdout_pattern(), dir.element_stderr_pattern())
    } else {
        (dir.stdout_pattern(), dir.stderr_pattern())
    };
    let defaults = [
        ("job_name", entry.short_name().to_owned()),
        ("comment", submission_id.to_string()),
        ("output", output.display().to_string()),
        ("error", error.display().to_string()),
        // A restarted job must not erase the output of its earlier runs.
        ("open_mode", "append".to_owned()),
    ];
    for (key, text) in defaults {
        if options.get(key).is_none() {
            options.put(key, text, Source::Default)?;
        }
    }
    Ok(())
}

/// A submission that the backend has accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) handle: JobHandle,
    pub(crate) explanation: Explanation,
    /// The time before it was sent.
    pub(crate) began: Instant,
    /// The other lines that sbatch printed.
    pub(crate) said: Vec<String>,
}

/// Writes the job's directory and sends the job to the backend.
pub(crate) fn submit(cluster: &Cluster, prepared: Prepared) -> Result<Accepted> {
    let mut accepted = submit_all(cluster, vec![prepared]);
    accepted.pop().unwrap_or_else(|| Err(unanswered().into()))
}

/// Does what [`submit`] does, for several jobs at once.
pub(crate) fn submit_all(cluster: &Cluster, batch: Vec<Prepared>) -> Vec<Result<Accepted>> {
    let mut submitting = Submitting::begin();
    let files: Vec<Result<Files<'_>>> = batch
        .iter()
        .map(|prepared| {
            tell_warnings(prepared);
            Files::of(cluster, std::slice::from_ref(prepared))
        })
        .collect();
    let submissions: Vec<Submission<'_>> = batch
        .iter()
        .zip(&files)
        .filter_map(|(prepared, files)| Some(files.as_ref().ok()?.submission(prepared, &[], true)))
        .collect();
    let began = Instant::now();
    let mut ids = cluster.backend().submit(&submissions).into_iter();
    drop(submissions);
    let files: Vec<Result<()>> = files.into_iter().map(|files| files.map(drop)).collect();
    let mut job = |(prepared, files): (Prepared, Result<()>)| {
        files?;
        let id =
            accepted(cluster, &prepared, ids.next().unwrap_or_else(|| Err(unanswered())), true)?;
        let chosen = cluster.backend().chosen_for(&prepared.submission_id);
        let handle = JobHandle { cluster: chosen, ..prepared.handle(id) };
        submitting.submitted(|| handle.about(cluster));
        cluster.callbacks().on_submitted(&handle, &prepared.explanation);
        let said = cluster.backend().said_of(&prepared.submission_id);
        Ok(Accepted { handle, explanation: prepared.explanation, began, said })
    };
    batch.into_iter().zip(files).map(&mut job).collect()
}

/// Returns the id of a job that the backend has accepted.
///
/// After the look at the dependencies, the queue may forget one of them before sbatch runs, so that sbatch
/// refuses the job. In that case this function looks at the dependencies again and calls sbatch without those
/// that are met. The job's directory exists already.
pub(crate) fn accepted(
    cluster: &Cluster,
    prepared: &Prepared,
    answer: Result<JobId, SubmitError>,
    noted: bool,
) -> Result<JobId> {
    let refused = match answer {
        Err(error) if prepared.may_be_looked_at_again(&error) => error,
        other => return Ok(other?),
    };
    let backend = cluster.backend();
    let submit_again = || {
        // The spec is written already, so no element can be excluded any more.
        let settled = settle::open(cluster, &prepared.options, &prepared.waits, Look::AtAll)?;
        let waits = settled.for_all()?;
        let mut again = Prepared { refusals: 1, ..prepared.clone() };
        let fewer = waits.len() < prepared.waits.len();
        let changed = dependency::replace(&mut again.options, &prepared.waits, &waits).is_some();
        if !fewer || !changed {
            return Err(refused.into());
        }
        again.waits = waits;
        let submission = Submission { prepared: &again, new: None, noted };
        let answer = backend.submit(&[submission]).pop();
        Ok(answer.unwrap_or_else(|| Err(unanswered()))?)
    };
    let answer: Result<JobId> = submit_again();
    match &answer {
        // The Slurm arrays before it may run, so the caller cancels them first.
        Err(_) if prepared.part > 0 => {}
        Err(Error::Submit(error)) => give_up(backend.host(), prepared.dir.path(), error),
        Err(_) => withdraw(backend.host(), prepared.dir.path()),
        Ok(_) => {}
    }
    answer
}

pub(crate) fn unanswered() -> SubmitError {
    SubmitError::SupervisorSilent { message: "it did not answer for this job".to_owned() }
}

/// Refuses a task whose return value cannot be encoded, before it works for hours.
pub(crate) fn check_output(entry: &TaskEntry) -> Result<()> {
    let (task, ty) = (entry.short_name(), entry.output);
    (entry.check_output)().map_err(|source| Error::Output { task, ty, source })
}

/// Logs the warnings of the explanation.
pub(crate) fn tell_warnings(prepared: &Prepared) {
    for warning in &prepared.explanation.warnings {
        log::warn!("{warning}");
    }
}

/// Returns a new submission id.
pub(crate) fn new_submission_id() -> SubmissionId {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SubmissionId::new(since.as_secs(), fastrand::u32(..))
}
