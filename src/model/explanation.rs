//! Descriptions of submissions, for people and other tools.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use slurm_core::ids::SubmissionId;
use slurm_core::options::{OptionSet, OptionValue, Source};
use slurm_core::spec::{Items, Shares};
use slurm_core::variable::VariableName;
use slurm_host::Printable;

use super::edge::Edge;
use super::kind::BackendKind;
use super::prologue::Prologue;

/// The description of a submission: the merged options with the source of each, and the script.
///
/// `--dry-run` prints it, [`Job::explain`](crate::Job::explain) returns it, and `job.json` in the job's
/// directory holds it. It never contains argument values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Explanation {
    /// The submission.
    pub submission_id: SubmissionId,
    /// The task's name.
    pub task: String,
    /// The hash of the task's parameter and return types.
    pub signature: u64,
    /// The names of the parameters with the size of each argument in bytes, or `None` for the result
    /// of another job.
    pub arguments: Vec<(String, Option<u64>)>,
    /// The shape, if it is an array.
    #[serde(default)]
    pub array: Option<ExplainedArray>,
    /// The kind of backend.
    #[serde(with = "super::word")]
    pub backend: BackendKind,
    /// The job's directory.
    pub dir: PathBuf,
    /// The dependencies of the job.
    #[serde(default)]
    pub after: Vec<Edge>,
    /// The options, sorted by name.
    pub options: Vec<ExplainedOption>,
    /// Flags that are passed to sbatch unchanged.
    pub extra: Vec<String>,
    /// The shell that runs the lines of `setup`, if one was chosen.
    pub shell: Option<String>,
    /// Whether it is a login shell.
    pub login: bool,
    /// Lines of shell before the task, from all sources.
    pub setup: Vec<String>,
    /// Variables of the job, from all sources.
    pub env: BTreeMap<VariableName, String>,
    /// The options that the cluster will not follow, with reasons.
    pub warnings: Vec<String>,
    /// The text of the batch script.
    pub script: String,
}

/// One Slurm array of a submission.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) number: u32,
    /// The number of the element with the index 0 in this array.
    pub(crate) first: u64,
    /// The number of elements that may run at once, in all arrays of the submission.
    pub(crate) max_running: Option<u32>,
    /// The number of attempts that an item may have.
    pub(crate) max_attempts: usize,
    /// The largest number of elements in a Slurm array.
    pub(crate) most: u64,
}

/// The shape of an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExplainedArray {
    /// The number of calls.
    pub items: u64,
    /// The number of Slurm array tasks.
    pub elements: u64,
    /// The number of calls that each element makes; the last one may make fewer.
    pub items_per_element: u64,
    /// The number of calls that an element makes at the same time.
    pub threads: u32,
    /// The number of elements that may run at once, if it is limited.
    #[serde(default)]
    pub max_running: Option<u32>,
    /// The number of attempts that an item may have.
    pub max_attempts: usize,
    /// The largest number of tasks in one Slurm array; more tasks take further arrays. 0 if it is not known.
    #[serde(default)]
    pub elements_per_array: u64,
}

impl ExplainedArray {
    pub(crate) fn of(items: &Items, part: Option<Part>) -> Self {
        let Shares { count, per_element, .. } = items.shares;
        Self {
            items: count,
            elements: items.shares.elements(),
            items_per_element: per_element,
            threads: items.threads,
            max_running: part.and_then(|part| part.max_running),
            max_attempts: part.map_or(1, |part| part.max_attempts),
            elements_per_array: part.map_or(0, |part| part.most),
        }
    }
}

impl fmt::Display for ExplainedArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { items, elements, items_per_element, threads, .. } = self;
        write!(f, "{items} items in {elements} elements, {items_per_element} each")?;
        if *threads > 1 { write!(f, ", {threads} at a time") } else { Ok(()) }
    }
}

/// One option of a submission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExplainedOption {
    /// The key, such as `cpus_per_task`.
    pub key: String,
    /// The value in canonical form; `None` for a flag.
    pub value: Option<String>,
    /// The source: `default`, `variable` (an environment variable of sbatch), `Slurmfile`, `cluster` (its
    /// builder), `attribute` or `call`.
    pub source: String,
}

const SOURCES: [(Source, &str); 6] = [
    (Source::Default, "default"),
    (Source::Variable, "variable"),
    (Source::Slurmfile, "Slurmfile"),
    (Source::Cluster, "cluster"),
    (Source::Attribute, "attribute"),
    (Source::CallSite, "call"),
];

impl ExplainedOption {
    /// Returns the source of the option.
    pub(crate) fn set_by(&self) -> Source {
        let found = SOURCES.iter().find(|(_, word)| *word == self.source);
        found.map_or(Source::CallSite, |(source, _)| *source)
    }
}

impl Explanation {
    /// Returns the shell lines and variables of the job before the task.
    pub(crate) fn prologue(&self) -> Prologue {
        let Self { shell, login, setup, env, .. } = self;
        Prologue { shell: shell.clone(), login: *login, setup: setup.clone(), env: env.clone() }
    }
}

pub(crate) fn explained(options: &OptionSet) -> Vec<ExplainedOption> {
    let source =
        |from| SOURCES.iter().find(|(source, _)| *source == from).map_or("", |(_, word)| word);
    options
        .iter()
        .filter(|(_, value, _)| **value != OptionValue::Unset)
        .map(|(spec, value, from)| ExplainedOption {
            key: spec.key.to_owned(),
            value: value.as_str().map(str::to_owned),
            source: source(from).to_owned(),
        })
        .collect()
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options and lines of the script may contain any characters.
        write!(f, "{}", Printable(Lines(self)))
    }
}

struct Lines<'a>(&'a Explanation);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(explanation) = self;
        writeln!(f, "task       {} ({})", explanation.task, explanation.submission_id)?;
        writeln!(f, "backend    {}", explanation.backend)?;
        writeln!(f, "directory  {}", explanation.dir.display())?;
        if let Some(array) = &explanation.array {
            writeln!(f, "array      {array}")?;
        }
        for (name, size) in &explanation.arguments {
            match size {
                _ if explanation.array.is_some() => writeln!(f, "argument   {name}, of each item")?,
                Some(size) => writeln!(f, "argument   {name}, {size} bytes")?,
                None => writeln!(f, "argument   {name}, the result of another job")?,
            }
        }
        for edge in &explanation.after {
            writeln!(f, "waits for  {}:{} ({})", edge.kind, edge.target(), edge.task)?;
        }
        let width = explanation.options.iter().map(|option| option.key.len()).max().unwrap_or(0);
        for ExplainedOption { key, value, source } in &explanation.options {
            let value = value.as_deref().unwrap_or("(flag)");
            writeln!(f, "option     {key:width$} = {value}  ({source})")?;
        }
        explanation.extra.iter().try_for_each(|flag| writeln!(f, "flag       {flag}"))?;
        for (name, value) in &explanation.env {
            writeln!(f, "variable   {name} = {value}")?;
        }
        explanation.setup.iter().try_for_each(|line| writeln!(f, "setup      {line}"))?;
        explanation.warnings.iter().try_for_each(|warning| writeln!(f, "warning    {warning}"))?;
        f.write_str("script\n")?;
        explanation.script.lines().try_for_each(|line| writeln!(f, "    {line}"))
    }
}
