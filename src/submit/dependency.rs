//! Dependencies in the options of a submission.

use slurm_core::options::{self, DependencyKind, OptionSet, OptionValue, Source};

use crate::cluster::Cluster;
use crate::error::OptionProblem;
use crate::model::Edge;

impl Edge {
    /// Returns a problem if jobs of `cluster` with these options cannot depend on the job.
    pub(crate) fn not_of(&self, cluster: &Cluster, options: &OptionSet) -> Option<OptionProblem> {
        let Self { job, task, dir, .. } = self;
        if self.is_planned && !cluster.is_planned() && !cluster.is_dry_run() {
            return Some(OptionProblem::new(format!(
                "the job of `{task}` is one of a dry run or a plan, so no job can wait for it"
            )));
        }
        let cluster = &cluster.for_options(options);
        let backend = cluster.backend();
        // Each job base directory of the embedded backend has job ids of its own.
        let fits = self.backend == backend.place()
            && (self.backend != "local"
                || self.dir.starts_with(backend.job_base_dir())
                || self.dir.starts_with(cluster.jobs_dir()));
        let dir = dir.display();
        (!fits).then(|| {
            OptionProblem::new(format!(
                "job {job} ({task}) in {dir} belongs to another cluster, so no job here can wait for it"
            ))
        })
    }
}

/// Adds the dependencies to the options.
pub(crate) fn add_to(set: &mut OptionSet, edges: &[Edge]) -> Result<(), OptionProblem> {
    if edges.is_empty() {
        return Ok(());
    }
    let of_failure = |edge: &&Edge| edge.kind == DependencyKind::AfterNotOk;
    let failing = edges.iter().filter(of_failure);
    if let Some(edge) =
        failing.clone().find(|edge| failing.clone().any(|other| edge.is_beside(other)))
    {
        let problem = OptionProblem::new(format!(
            "the array in {} consists of several Slurm arrays, and Slurm can wait until all of them have failed, but not until any has",
            edge.dir.display()
        ));
        return Err(problem.hint("use `after_any`, and let the job check the results"));
    }
    let mut dependency = written(edges);
    if let Some(OptionValue::Value(given)) = set.get("dependency") {
        if given.contains('?') {
            let message = format!(
                "`dependency = \"{given}\"` is met by any of its jobs, but this job needs {dependency} as well"
            );
            let problem = OptionProblem::with_value("dependency", given, message);
            return Err(problem.hint("join them with `,`").set_in(set.source("dependency")));
        }
        dependency = format!("{dependency},{given}");
    }
    set.put("dependency", dependency, Source::CallSite).and_then(|()| {
        match set.get("kill_on_invalid_dep") {
            // Without it, the job would stay in the queue if its dependency can never be met.
            None => set.put("kill_on_invalid_dep", "yes", Source::Default),
            Some(_) => Ok(()),
        }
    })?;
    Ok(())
}

/// Returns the edges in sbatch's form.
fn written(edges: &[Edge]) -> String {
    let item = |edge: &Edge| match edge.minutes {
        Some(minutes) => format!("{}:{}+{minutes}", edge.kind, edge.target()),
        None => format!("{}:{}", edge.kind, edge.target()),
    };
    let mut items: Vec<String> = edges.iter().map(item).collect();
    items.sort_unstable();
    items.dedup();
    items.join(",")
}

/// Replaces the edges `before`, which [`add_to`] has added to the options, by `now`. Other dependencies stay.
/// Returns `None` if the options do not begin with `before`.
pub(crate) fn replace(set: &mut OptionSet, before: &[Edge], now: &[Edge]) -> Option<()> {
    let spec = options::lookup("dependency").ok()?;
    let Some(OptionValue::Value(all)) = set.get("dependency") else { return None };
    let canonical = |text: &str| match spec.parse(text).ok()? {
        OptionValue::Value(text) => Some(text),
        _ => None,
    };
    let rest = all.strip_prefix(&*canonical(&written(before))?)?;
    let rest = if rest.is_empty() { rest } else { rest.strip_prefix(',')? };
    let now = written(now);
    let parts = [&*now, rest].into_iter().filter(|part| !part.is_empty());
    let value = match parts.collect::<Vec<_>>().join(",") {
        none if none.is_empty() => OptionValue::Unset,
        some => spec.parse(&some).ok()?,
    };
    set.set(spec, value, Source::CallSite);
    Some(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use slurm_core::ids::JobId;

    use super::*;

    #[test]
    fn dependencies_that_are_met_are_removed() {
        let edge = |kind: DependencyKind, job: u32| Edge {
            kind,
            job: JobId::new(job).unwrap(),
            minutes: None,
            task: String::new(),
            dir: PathBuf::new(),
            backend: String::new(),
            items: None,
            carries_result: false,
            element: None,
            known_at: None,
            ended_as: None,
            elements: None,
            is_planned: false,
        };
        let both = [edge(DependencyKind::AfterOk, 7), edge(DependencyKind::AfterAny, 8)];
        let after = |given: Option<&str>, now: &[Edge]| {
            let mut set = OptionSet::new();
            if let Some(given) = given {
                set.put("dependency", given, Source::CallSite).unwrap();
            }
            add_to(&mut set, &both).unwrap();
            replace(&mut set, &both, now).unwrap();
            set.get("dependency").and_then(OptionValue::as_str).map(str::to_owned)
        };
        assert_eq!(after(None, &both[..1]).as_deref(), Some("afterok:7"));
        assert_eq!(after(None, &[]), None);
        assert_eq!(after(Some("singleton"), &[]).as_deref(), Some("singleton"));
        let left = after(Some("afterany:9"), &both[1..]);
        assert_eq!(left.as_deref(), Some("afterany:8,afterany:9"));
    }
}
