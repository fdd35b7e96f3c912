//! The settings that a workflow's job needs to submit like the cluster that submitted it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use slurm_core::ids::JobId;
use slurm_core::options::{OptionInput, OptionSet, OptionValue, Source};
use slurm_core::requeue::OnTimeout;
use slurm_core::task::{TaskEntry, TaskKind};
use slurm_core::variable::VariableName;

use crate::cluster::Cluster;
use crate::error::{Error, OptionProblem, Result};
use crate::model::BackendKind;
use crate::model::permissions::Permissions;
use crate::slurmfile::Environment;
use crate::submit::given;

/// The name of the file in the workflow's job directory.
pub(crate) const FILE: &str = "workflow.json";

const VERSION: u32 = 1;

/// The settings of the cluster inside a workflow's job. They hold no credentials: the job uses the commands of
/// its node.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    version: u32,
    pub(crate) backend: String,
    pub(crate) job_base_dir: PathBuf,
    /// The program of the jobs, already staged.
    pub(crate) binary: PathBuf,
    /// The directory of the workflow: the job's own, or the directory of the workflow that it resumes.
    pub(crate) state_dir: PathBuf,
    /// The jobs of the workflows around it, the outermost first.
    #[serde(default)]
    pub(crate) around: Vec<JobId>,
    /// CPUs and GPUs of the embedded backend.
    pub(crate) local: Option<(u32, u32)>,
    /// Options of the Slurmfile; `None` for an option that it unsets.
    submit: Vec<(String, Option<Setting>)>,
    extra: Vec<String>,
    /// `on_timeout` and `max_requeues`, if the Slurmfile sets them.
    #[serde(default)]
    requeue: (Option<String>, Option<u32>),
    shell: Option<String>,
    login: Option<bool>,
    setup: Vec<String>,
    env: BTreeMap<VariableName, String>,
    /// Modes of scripts and of job directories; `None` leaves the latter to the umask.
    permissions: (u32, Option<u32>),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Setting {
    Flag,
    Value(String),
}

impl Settings {
    /// Returns the settings for a workflow that `cluster` submits.
    pub(crate) fn new(cluster: &Cluster, binary: &Path, state_dir: PathBuf) -> Self {
        let Environment { submit, on_timeout, max_requeues, shell, login, setup, env, .. } =
            cluster.environment();
        let Permissions { script, job_dir } = cluster.permissions();
        let setting = |value: &OptionValue| match value {
            OptionValue::Unset => None,
            OptionValue::Flag => Some(Setting::Flag),
            OptionValue::Value(value) => Some(Setting::Value(value.clone())),
        };
        Self {
            version: VERSION,
            backend: match cluster.backend_kind() {
                BackendKind::Local => BackendKind::Local,
                // A job uses the Slurm of its node, without SSH.
                _ => BackendKind::Slurm,
            }
            .to_string(),
            job_base_dir: cluster.job_base_dir().to_owned(),
            binary: binary.to_owned(),
            state_dir,
            around: cluster.ledger().waiting(),
            local: cluster.backend().machine(),
            submit: submit
                .iter()
                .map(|(spec, value, _)| (spec.key.to_owned(), setting(value)))
                .collect(),
            extra: submit.extras().to_vec(),
            requeue: (on_timeout.map(|action| action.as_ref().to_owned()), *max_requeues),
            shell: shell.clone(),
            login: *login,
            setup: setup.clone(),
            env: env.clone(),
            permissions: (script, job_dir),
        }
    }

    /// Reads the settings in the job directory `dir` of this machine.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(FILE);
        let bytes = fs::read(&path).map_err(|error| unusable(&path, &error))?;
        Self::from_bytes(&bytes).map_err(|reason| unusable(&path, &reason))
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let settings: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        match settings.version {
            VERSION => Ok(settings),
            other => Err(format!("it is of version {other}, and this program reads {VERSION}")),
        }
    }

    /// Reads settings; for the fuzz targets.
    pub(crate) fn read_anything(bytes: &[u8]) {
        let _ = Self::from_bytes(bytes).map(|settings| settings.environment());
    }

    /// Returns the part of the Slurmfile with which jobs are submitted.
    pub(crate) fn environment(&self) -> Result<Environment> {
        let mut submit = OptionSet::new();
        let wrong = |error: String| unusable(Path::new(FILE), &error);
        for (key, setting) in &self.submit {
            let input: OptionInput = match setting {
                None => false.into(),
                Some(Setting::Flag) => true.into(),
                Some(Setting::Value(value)) => value.into(),
            };
            let set = submit.put(key, input, Source::Slurmfile);
            set.map_err(|error| wrong(error.to_string()))?;
        }
        for flag in &self.extra {
            submit.extra(flag.clone()).map_err(|error| wrong(error.to_string()))?;
        }
        let (on_timeout, max_requeues) = &self.requeue;
        let on_timeout = on_timeout.as_deref().map(str::parse::<OnTimeout>).transpose();
        let on_timeout = on_timeout.map_err(|error| wrong(error.to_string()))?;
        let (setup, env) = (self.setup.clone(), self.env.clone());
        let (script_permissions, job_dir_permissions) =
            (Some(self.permissions.0), self.permissions.1);
        Ok(Environment {
            submit,
            on_timeout,
            max_requeues: *max_requeues,
            shell: self.shell.clone(),
            login: self.login,
            setup,
            env,
            script_permissions,
            job_dir_permissions,
            ..Environment::default()
        })
    }
}

/// Returns the directory of the workflow whose job has the directory `dir`, or `None` if the job is not a
/// workflow.
pub(crate) fn state_dir_of(cluster: &Cluster, dir: &Path) -> Result<Option<PathBuf>> {
    let path = dir.join(FILE);
    let Some(bytes) = cluster.backend().host().read(&path, 0)? else { return Ok(None) };
    let settings = Settings::from_bytes(&bytes).map_err(|reason| unusable(&path, &reason))?;
    Ok(Some(settings.state_dir))
}

fn unusable(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Config {
        message: format!("the workflow's settings {} cannot be used: {reason}", path.display()),
        hint: "submit the workflow again, with one version of the program".to_owned(),
    }
}

/// The options that set a number of tasks, in the order in which an error names them.
const SEVERAL: &[&str] = &[
    "ntasks",
    "ntasks_per_node",
    "ntasks_per_gpu",
    "ntasks_per_tres",
    "gpus_per_task",
    "nodes",
    "extra_node_info",
];

/// Returns the problem if the options ask for several processes and the task is a workflow.
pub(crate) fn problem(entry: &TaskEntry, options: &OptionSet) -> Option<OptionProblem> {
    if entry.kind != TaskKind::Workflow || !options.size().takes_several_processes() {
        return None;
    }
    let key = SEVERAL.iter().find(|key| given(options, key));
    let what = key.map_or_else(|| options.extras().join(" "), |key| format!("`{key}`"));
    let message = format!("{what}: a workflow is one process");
    let problem =
        key.map_or_else(|| OptionProblem::new(&message), |key| OptionProblem::with(key, &message));
    let hint = format!("give {what} to the jobs that it submits");
    Some(problem.hint(hint).set_in(key.and_then(|key| options.source(key))))
}
