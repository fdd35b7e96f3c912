//! The options of a call, common to the builders of jobs and arrays.

use slurm_core::options::{OptionInput, OptionSet, OptionValue, Source};
use slurm_core::requeue::{RequeuePolicy, TaskRequeue};
use slurm_core::task::{TaskEntry, TaskValue};
use slurm_core::variable::VariableName;

use super::{dependency, requeue, workflow};
use crate::cluster::Cluster;
use crate::error::{OptionProblem, Result};
use crate::model::{BackendKind, Edge, Prologue};

/// The options and dependencies of a call, and the problems with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallOptions {
    pub(crate) options: OptionSet,
    /// Whether `options` are complete, so that neither the Slurmfile nor the attribute adds any.
    pub(crate) are_all: bool,
    pub(crate) edges: Vec<Edge>,
    pub(crate) requeue: TaskRequeue,
    /// Shell lines and variables of this call; if `are_all`, all of them.
    pub(crate) prologue: Prologue,
    pub(crate) problems: Vec<OptionProblem>,
}

impl CallOptions {
    pub(crate) fn set(&mut self, key: &str, value: OptionInput) {
        if let Err(error) = self.options.put(key, value, Source::CallSite) {
            self.refuse(OptionProblem::from(error));
        }
    }

    pub(crate) fn extra_flag(&mut self, flag: String) {
        if let Err(error) = self.options.extra(flag) {
            self.refuse(OptionProblem::from(error));
        }
    }

    /// Notes a problem with what the call sets; it is reported when the call is submitted.
    pub(crate) fn refuse(&mut self, problem: OptionProblem) {
        self.problems.push(problem.set_in(Some(Source::CallSite)));
    }

    pub(crate) fn setup(&mut self, line: String) {
        if line.contains('\0') {
            self.refuse(OptionProblem::setup_with_nul());
        }
        self.prologue.setup.push(line);
    }

    pub(crate) fn env(&mut self, name: &str, value: String) {
        match name.parse::<VariableName>() {
            Ok(_) if value.contains('\0') => {
                self.refuse(OptionProblem::variable_with_nul(name));
            }
            Ok(name) => drop(self.prologue.env.insert(name, value)),
            Err(error) => self.refuse(OptionProblem::with("env", error.to_string())),
        }
    }

    /// Returns the shell lines and variables of the cluster, then of the attribute, then of the call.
    pub(crate) fn prologue(&self, cluster: &Cluster, entry: &TaskEntry) -> Prologue {
        if self.are_all {
            return self.prologue.clone();
        }
        let mut prologue = cluster.environment().prologue();
        let lines: Vec<String> = entry.setup.iter().map(|line| (*line).to_owned()).collect();
        // The macro has checked the names.
        let variables = entry.env.iter().filter_map(|(name, value)| {
            Some((name.parse::<VariableName>().ok()?, (*value).to_owned()))
        });
        prologue.add(&lines, &variables.collect());
        prologue.add(&self.prologue.setup, &self.prologue.env);
        prologue
    }

    /// Returns the options merged from all sources, or all problems with them. `waits` are the edges that are
    /// still open.
    pub(crate) fn merged(
        &self,
        cluster: &Cluster,
        entry: &TaskEntry,
        edges: &[Edge],
        waits: &[Edge],
    ) -> Result<OptionSet, Vec<OptionProblem>> {
        let mut problems = self.problems.clone();
        let mut merged = self.options.clone();
        if !self.are_all {
            merged = cluster.environment().submit.clone();
            merged.merge(&from_attribute(entry, &mut problems));
            merged.merge(&self.options);
        }
        if !self.are_all && cluster.backend_kind() == BackendKind::Slurm {
            problems.extend(add_clusters(&mut merged).err());
        }
        problems.extend(edges.iter().filter_map(|edge| edge.not_of(cluster, &merged)));
        if let Err(problem) = dependency::add_to(&mut merged, waits) {
            problems.push(problem);
        }
        if given(&merged, "array") {
            let message = "`array` cannot be set: a job is one call";
            let problem = OptionProblem::with("array", message);
            let problem = problem.hint("`map` makes an array of many");
            problems.push(problem.set_in(merged.source("array")));
        }
        // `policy` may add options, so check for conflicts afterwards.
        if !self.are_all {
            let policy = requeue::policy(entry, self.requeue, &mut merged, cluster);
            problems.extend(policy.err());
        }
        problems.extend(workflow::problem(entry, &merged));
        problems.extend(merged.conflicts().into_iter().map(|conflict| {
            let source = merged.source(conflict.second);
            OptionProblem::from(conflict).set_in(source)
        }));
        if problems.is_empty() { Ok(merged) } else { Err(problems) }
    }
}

impl CallOptions {
    /// Returns the requeue policy of the job with the merged options.
    pub(crate) fn requeue_policy(
        &self,
        cluster: &Cluster,
        entry: &TaskEntry,
        merged: &mut OptionSet,
    ) -> Result<RequeuePolicy> {
        Ok(requeue::policy(entry, self.requeue, merged, cluster)?)
    }
}

/// Sets the clusters that the environment variables name, as sbatch does. sbatch itself does not get these
/// variables, because all later commands need the names too.
fn add_clusters(options: &mut OptionSet) -> Result<(), OptionProblem> {
    const VARIABLES: [&str; 2] = ["SBATCH_CLUSTERS", "SLURM_CLUSTERS"];
    if given(options, "clusters") {
        return Ok(());
    }
    let set = |name| Some((name, std::env::var(name).ok().filter(|names| !names.is_empty())?));
    let Some((variable, names)) = VARIABLES.into_iter().find_map(set) else { return Ok(()) };
    let set = options.put("clusters", names, Source::Default);
    set.map_err(|error| {
        let problem = OptionProblem::from(error).set_in(Some(Source::Variable));
        OptionProblem { message: format!("{variable}: {}", problem.message), ..problem }
    })
}

pub(crate) fn given(options: &OptionSet, key: &str) -> bool {
    options.get(key).is_some_and(|value| *value != OptionValue::Unset)
}

fn from_attribute(entry: &TaskEntry, problems: &mut Vec<OptionProblem>) -> OptionSet {
    let mut set = OptionSet::new();
    let mut refuse =
        |problem: OptionProblem| problems.push(problem.set_in(Some(Source::Attribute)));
    for option in entry.options {
        let input = match option.value {
            TaskValue::Flag => true.into(),
            TaskValue::Text(text) => text.into(),
            TaskValue::Constant(value) => value(),
        };
        if let Err(error) = set.put(option.key, input, Source::Attribute) {
            refuse(error.into());
        }
    }
    for flag in entry.extra {
        if let Err(error) = set.extra((*flag).to_owned()) {
            refuse(error.into());
        }
    }
    set
}
