//! A job that is not yet submitted.

use std::fmt;
use std::marker::PhantomData;

use slurm_core::ids::PreId;
use slurm_core::layout::JobDir;
use slurm_core::options::{self, OptionInput, OptionSet, OptionValue, Source};
use slurm_core::spec::{Argument, Spec};
use slurm_core::task::{Task, TaskEntry, TaskValue};

use crate::arg::CallArguments;
use crate::cluster::Cluster;
use crate::edges::{self, Edge};
use crate::error::{Error, Result};
use crate::explain::Explanation;
use crate::job::Job;
use crate::submit::{self, Call, Prepared};

/// A call of a task, with the options for its job; [`submit`](Self::submit) makes it a job.
///
/// `train::job(…)` returns one. There is a method for each of sbatch's options, named as its long
/// name with `_` for `-`. What is set here beats what the attribute sets. A wrong value is reported by
/// `submit`, together with all others.
#[must_use = "a builder does nothing until it is submitted"]
pub struct JobBuilder<T> {
    call: CallArguments,
    options: OptionSet,
    edges: Vec<Edge>,
    problems: Vec<String>,
    task: PhantomData<fn() -> T>,
}

impl<T> fmt::Debug for JobBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the arguments: what is passed to tasks is nobody else's business.
        f.debug_struct("JobBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<T: Task> JobBuilder<T> {
    /// Returns the builder of a job that makes `call`; the attribute macro's part.
    #[doc(hidden)]
    pub fn new(call: CallArguments) -> Self {
        Self {
            call,
            options: OptionSet::new(),
            edges: Vec::new(),
            problems: Vec::new(),
            task: PhantomData,
        }
    }

    /// Sets the option `key`, with `_` or `-`, to `value`.
    ///
    /// The methods named after the options do the same; this one is for keys known only at run time.
    pub fn set(mut self, key: &str, value: impl Into<OptionInput>) -> Self {
        match options::lookup(key) {
            Ok(spec) => match spec.parse_input(value.into()) {
                Ok(value) => self.options.set(spec, value, Source::CallSite),
                Err(error) => self.problems.push(format!("`{}`: {error}", spec.key)),
            },
            Err(error) => self.problems.push(error.to_string()),
        }
        self
    }

    pub(crate) fn wait_for(mut self, edge: Edge) -> Self {
        self.edges.push(edge);
        self
    }

    /// Passes a flag to sbatch as it is, for what is no option of this library: `--my-plugin=value`.
    pub fn extra_flag(mut self, flag: impl Into<String>) -> Self {
        if let Err(error) = self.options.extra(flag.into()) {
            self.problems.push(error.to_string());
        }
        self
    }

    /// Submits the job.
    ///
    /// Writes the job's directory (four files, one synced) and calls sbatch once.
    ///
    /// # Errors
    /// [`Error::NotInitialized`] and [`Error::InsideJob`] if this process may not submit;
    /// [`Error::Argument`] and [`Error::Options`] if the call is wrong; [`Error::Submit`] if it was refused.
    /// No job exists then, unless the error is [`SubmitError::Unknown`](crate::error::SubmitError::Unknown).
    pub fn submit(self, cluster: &Cluster) -> Result<Job<T::Output>> {
        crate::init::check_may_submit()?;
        let prepared = self.prepare(cluster, !cluster.is_dry_run())?;
        if cluster.is_dry_run() {
            return Err(Error::DryRun(Box::new(prepared.explanation)));
        }
        submit::submit(cluster, prepared, T::decode_output)
    }

    /// Returns what [`submit`](Self::submit) would submit.
    ///
    /// # Errors
    /// As `submit`, as far as it can be known without submitting.
    pub fn explain(self, cluster: &Cluster) -> Result<Explanation> {
        self.prepare(cluster, false).map(|prepared| prepared.explanation)
    }

    /// Decides everything; with `stage`, also puts the binary in its place.
    fn prepare(self, cluster: &Cluster, stage: bool) -> Result<Prepared> {
        let entry = T::entry();
        let CallArguments { arguments, upstream: mut edges, error, secrets } = self.call;
        edges.extend(self.edges);
        if let Some(error) = error {
            return Err(error);
        }
        let mut problems = self.problems;
        let mut merged = cluster.environment().submit.clone();
        merged.merge(&from_attribute(entry, &mut problems));
        merged.merge(&self.options);
        problems.extend(edges.iter().filter_map(|edge| edge.not_of(cluster)));
        if let Err(problem) = edges::add_to(&mut merged, &edges) {
            problems.push(problem);
        }
        if given(&merged, "array") {
            problems.push("`array` cannot be set: a job is one call".to_owned());
        }
        problems.extend(merged.conflicts().iter().map(ToString::to_string));
        if !problems.is_empty() {
            return Err(Error::Options { problems });
        }
        let binary = if stage { cluster.stage_binary()? } else { cluster.binary_path()? };
        let pre_id = submit::new_pre_id();
        let dir = JobDir::new(cluster.job_base_dir(), entry.name, &pre_id);
        let spec = spec(arguments, &pre_id, &merged);
        let call = Call { entry, spec, dir, edges, secrets };
        submit::prepare(cluster, call, merged, binary)
    }
}

fn spec(arguments: Vec<Argument>, pre_id: &PreId, options: &OptionSet) -> Spec {
    let time_limit = submit::time_limit(options).map(|limit| limit.as_secs());
    Spec { pre_id: pre_id.clone(), arguments, time_limit }
}

fn given(options: &OptionSet, key: &str) -> bool {
    options.get(key).is_some_and(|value| *value != OptionValue::Unset)
}

fn from_attribute(entry: &TaskEntry, problems: &mut Vec<String>) -> OptionSet {
    let mut set = OptionSet::new();
    for option in entry.options {
        let input = match option.value {
            TaskValue::Flag => true.into(),
            TaskValue::Text(text) => text.into(),
            TaskValue::Constant(value) => value(),
        };
        let parsed =
            options::lookup(option.key).map_err(|error| error.to_string()).and_then(|spec| {
                let value =
                    spec.parse_input(input).map_err(|error| format!("`{}`: {error}", spec.key))?;
                Ok((spec, value))
            });
        match parsed {
            Ok((spec, value)) => set.set(spec, value, Source::Attribute),
            Err(problem) => problems.push(problem),
        }
    }
    for flag in entry.extra {
        if let Err(error) = set.extra((*flag).to_owned()) {
            problems.push(error.to_string());
        }
    }
    set
}

macro_rules! setters {
    ($(($key:ident, $name:literal, $kind:ident, $summary:literal, $example:literal))*) => {
        /// Options of sbatch.
        impl<T: Task> JobBuilder<T> {
            $(
                #[doc = $summary]
                #[doc = ""]
                #[doc = concat!("sbatch's `--", $name, "`; an example of a value: `", $example, "`.")]
                pub fn $key(self, value: impl Into<OptionInput>) -> Self {
                    self.set(stringify!($key), value)
                }
            )*
        }
    };
}

slurm_core::for_each_option!(setters);
