//! From a call to a job.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use slurm_core::codec::CodecError;
use slurm_core::ids::{JobId, PreId};
use slurm_core::layout::JobDir;
use slurm_core::options::{self, OptionSet, OptionSpec, OptionValue, Release, Source, Walltime};
use slurm_core::spec::{Argument, Spec};
use slurm_core::task::TaskEntry;

use crate::backend::Backend;
use crate::cluster::Cluster;
use crate::edges::Edge;
use crate::error::{Error, Result, SubmitError};
use crate::explain::{Explanation, explained};
use crate::host::{Content, NewDir, NewFile};
use crate::job::{Job, JobHandle};
use crate::script::Script;

/// A submission that is ready: everything is decided and nothing is written.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) entry: &'static TaskEntry,
    pub(crate) pre_id: PreId,
    pub(crate) dir: JobDir,
    pub(crate) options: OptionSet,
    pub(crate) spec: Vec<u8>,
    pub(crate) explanation: Explanation,
    pub(crate) holds_secrets: bool,
}

/// The note that the client leaves in the job's directory once the job has an id.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Submitted {
    pub(crate) job_id: JobId,
}

/// A call whose options are merged.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) entry: &'static TaskEntry,
    pub(crate) spec: Spec,
    pub(crate) dir: JobDir,
    pub(crate) edges: Vec<Edge>,
    /// The parameters whose arguments hold a secret.
    pub(crate) secrets: Vec<&'static str>,
}

pub(crate) fn prepare(
    cluster: &Cluster,
    call: Call,
    mut options: OptionSet,
    binary: &Path,
) -> Result<Prepared> {
    let Call { entry, spec, dir, edges: after, secrets } = call;
    let backend = cluster.backend();
    let pre_id = spec.pre_id.clone();
    add_defaults(&mut options, entry, &pre_id, &dir)?;
    let mut warnings = check_release(backend, &options)?;
    warnings.extend(backend.warnings(&options));
    warnings.extend(secrets.iter().map(|name| secret_in_spec(name, &dir)));
    let script = Script {
        options: &options,
        task: entry.name,
        pre_id: &pre_id,
        job_base_dir: cluster.job_base_dir(),
        binary,
        dir: &dir,
        launcher: backend.launcher(&options),
        environment: cluster.environment(),
    };
    let size = |argument: &Argument| match argument {
        Argument::Inline(bytes) => Some(bytes.len() as u64),
        _ => None,
    };
    let names = entry.parameters.iter().map(|parameter| parameter.name.to_owned());
    let explanation = Explanation {
        pre_id: pre_id.clone(),
        task: entry.name.to_owned(),
        signature: entry.signature,
        arguments: names.zip(spec.arguments.iter().map(size)).collect(),
        backend: backend.name().to_owned(),
        dir: dir.path().to_owned(),
        after,
        options: explained(&options),
        extra: options.extras().to_vec(),
        warnings,
        script: script.render(),
    };
    let spec = spec.to_bytes(entry.name, entry.signature).map_err(|error| Error::Argument {
        parameter: entry.parameters.first().map_or("", |parameter| parameter.name),
        source: CodecError::Encode { reason: error.to_string() },
    })?;
    let holds_secrets = !secrets.is_empty();
    Ok(Prepared { entry, pre_id, dir, options, spec, explanation, holds_secrets })
}

fn secret_in_spec(parameter: &str, dir: &JobDir) -> String {
    let spec = dir.spec();
    format!(
        "the argument `{parameter}` holds a secret: it will lie in {}, which only you can read, until that is removed",
        spec.display()
    )
}

/// Refuses options that the cluster's Slurm does not have, and warns of those that it may not have.
fn check_release(backend: &dyn Backend, options: &OptionSet) -> Result<Vec<String>> {
    let told = |oldest, newest| {
        let value =
            |spec: &OptionSpec| options.get(spec.key).cloned().unwrap_or(OptionValue::Unset);
        let newer = options.newer_than(oldest).into_iter();
        let newer = newer.map(|spec| {
            format!(
                "`{}` as it is set here needs Slurm {}",
                spec.key,
                spec.since_with(&value(spec))
            )
        });
        let older = options.older_than(newest).into_iter();
        let older = older.map(|spec| {
            format!("`{}` as it is set here is gone from newer releases of Slurm", spec.key)
        });
        newer.chain(older).collect::<Vec<_>>()
    };
    let doubtful = told(Release::OLDEST, Release::NEWEST);
    if doubtful.is_empty() {
        return Ok(doubtful);
    }
    let Some(release) = backend.release() else { return Ok(doubtful) };
    let problems: Vec<_> = told(release, release)
        .into_iter()
        .map(|problem| format!("{problem}; this cluster has {release}"))
        .collect();
    if problems.is_empty() { Ok(problems) } else { Err(Error::Options { problems }) }
}

fn add_defaults(
    options: &mut OptionSet,
    entry: &TaskEntry,
    pre_id: &PreId,
    dir: &JobDir,
) -> Result<()> {
    let defaults = [
        ("job_name", entry.short_name().to_owned()),
        ("comment", pre_id.to_string()),
        ("output", dir.stdout_pattern().display().to_string()),
        ("error", dir.stderr_pattern().display().to_string()),
        // A restarted job does not wipe out what it printed before.
        ("open_mode", "append".to_owned()),
    ];
    for (key, text) in defaults {
        if options.get(key).is_none() {
            let spec = options::lookup(key)
                .map_err(|error| Error::Options { problems: vec![error.to_string()] })?;
            options.set(spec, spec.parse(&text)?, Source::Default);
        }
    }
    Ok(())
}

/// Writes the job's directory and hands the job to the backend.
pub(crate) fn submit<R>(
    cluster: &Cluster,
    prepared: Prepared,
    decode: fn(&[u8]) -> Result<R, CodecError>,
) -> Result<Job<R>> {
    let (backend, dir) = (cluster.backend(), &prepared.dir);
    let host = backend.host();
    let json = serde_json::to_vec_pretty(&prepared.explanation)
        .map_err(|error| Error::Options { problems: vec![error.to_string()] })?;
    let script = prepared.explanation.script.as_bytes();
    let file =
        |name, bytes, mode, synced| NewFile { name, content: Content::Bytes(bytes), mode, synced };
    let permissions = cluster.permissions();
    for warning in prepared.explanation.warnings.iter().filter(|_| prepared.holds_secrets) {
        log::warn!("{warning}");
    }
    let spec_mode = prepared.holds_secrets.then_some(0o600);
    let files = [
        file("spec", prepared.spec.as_slice(), spec_mode, true),
        file("script.sh", script, Some(permissions.script), false),
        file("job.json", &json, None, false),
    ];
    let base = cluster.job_base_dir();
    let below = dir.path().strip_prefix(base).unwrap_or(dir.path());
    let new = NewDir { base, below, mode: permissions.job_dir };
    host.create_dir_with(&new, &files).map_err(SubmitError::from)?;
    let id = match backend.enqueue(&prepared) {
        Ok(id) => id,
        Err(error) => {
            // Whatever may still become a job keeps its files.
            let decided =
                !matches!(error, SubmitError::Unknown { .. } | SubmitError::NoJobId { .. });
            if decided && let Err(leftover) = host.remove_dir(dir.path()) {
                log::warn!("the directory of a refused job is left behind: {leftover}");
            }
            return Err(error.into());
        }
    };
    let handle = JobHandle {
        pre_id: prepared.pre_id,
        job_id: id,
        task: prepared.entry.name.to_owned(),
        signature: prepared.entry.signature,
        dir: dir.path().to_owned(),
    };
    // The job exists; that its id cannot be noted makes it harder to find, not less of a job.
    let noted = serde_json::to_vec(&Submitted { job_id: id })
        .map_err(|error| error.to_string())
        .and_then(|note| host.write(&dir.submitted(), &note).map_err(|error| error.to_string()));
    if let Err(error) = noted {
        log::warn!("the id of job {id} could not be noted: {error}");
    }
    cluster.callbacks().on_submitted(&handle, &prepared.explanation);
    Ok(Job::new(cluster.clone(), handle, decode, Some(prepared.explanation)))
}

/// Returns a new submission id.
pub(crate) fn new_pre_id() -> PreId {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    PreId::new(since.as_secs(), fastrand::u32(..))
}

/// Returns the time limit that the options ask for, if they ask for one.
pub(crate) fn time_limit(options: &OptionSet) -> Option<Duration> {
    match options.get("time") {
        Some(OptionValue::Value(text)) => text.parse::<Walltime>().ok()?.as_limit(),
        _ => None,
    }
}
