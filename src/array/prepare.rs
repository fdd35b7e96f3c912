//! Decides everything before an array is submitted.

use std::path::PathBuf;
use std::sync::Arc;

use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::options::{DependencyKind, OptionSet, Source};
use slurm_core::outcome::MissingItem;
use slurm_core::spec::{Items, Refused, Shares, Spec, Work};
use slurm_core::task::{Task, TaskEntry};

use super::ArrayUpstream;
use super::handle::MAX_ITEMS;
use super::sharing::{self, Chunk};
use super::spool::Spooled;
use crate::backend::script::Launcher;
use crate::backend::{Limits, Prepared};
use crate::cluster::Cluster;
use crate::conclude;
use crate::error::{OptionProblem, Result};
use crate::model::{ArrayHandle, ArrayPart, Edge, Explanation, Part};
use crate::submit::settle::{self, Look};
use crate::submit::{self, Call, CallOptions, given};

/// The settings of an array that are not options of sbatch.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) chunk: Chunk,
    pub(crate) threads: u32,
    pub(crate) max_running: Option<u32>,
    pub(crate) max_attempts: usize,
    /// Arrays that this one follows, element by element.
    pub(crate) corresponding: Vec<Arc<ArrayUpstream>>,
    /// For workflows: the directory of the array whose journals this one continues.
    pub(crate) resumed: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            chunk: Chunk::Each,
            threads: 1,
            max_running: None,
            max_attempts: 3,
            corresponding: Vec::new(),
            resumed: None,
        }
    }
}

/// An array that is ready to be submitted.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) submissions: Vec<Prepared>,
    pub(super) elements: Vec<u64>,
    pub(super) shares: Shares,
    pub(super) several: bool,
    pub(super) max_attempts: usize,
}

impl Parts {
    /// Returns the submission's id.
    pub(crate) fn submission_id(&self) -> &SubmissionId {
        &self.submissions[0].submission_id
    }

    /// Returns the handle of the array whose parts have these ids.
    pub(crate) fn handle(&self, ids: &[JobId]) -> ArrayHandle {
        let first = &self.submissions[0];
        let part = |(id, elements): (&JobId, &u64)| ArrayPart { job_id: *id, elements: *elements };
        ArrayHandle {
            submission_id: first.submission_id.clone(),
            task: first.entry.name.to_owned(),
            signature: first.entry.signature,
            dir: first.dir.path().to_owned(),
            parts: ids.iter().zip(&self.elements).map(part).collect(),
            items: self.shares.count,
            items_per_element: self.shares.per_element,
            max_attempts: self.max_attempts,
            cluster: None,
        }
    }

    pub(crate) fn explanation(&self) -> Explanation {
        self.submissions[0].explanation.clone()
    }
}

/// Makes all decisions. With `stage`, also puts the program in its place.
pub(crate) fn prepare<T: Task>(
    cluster: &Cluster,
    spooled: &Spooled,
    mut options: CallOptions,
    settings: &Settings,
    submission_id: SubmissionId,
    stage: bool,
) -> Result<Parts> {
    let entry = T::entry();
    submit::check_output(entry)?;
    if settings.threads > 1 {
        default_cpus(&mut options, entry, settings.threads);
    }
    let mut plain = options.merged(cluster, entry, &[], &[])?;
    let requeue = options.requeue_policy(cluster, entry, &mut plain)?;
    let several = cluster.backend().launcher(&plain) != Launcher::Exec;
    let count = spooled.count();
    if count == 0 {
        return Err(OptionProblem::new("there are no items, so there is nothing to submit").into());
    }
    if count > MAX_ITEMS {
        return Err(OptionProblem::new(format!("an array has at most {MAX_ITEMS} items")).into());
    }
    let per_element = per_element(cluster, spooled, &plain, settings, several)?;
    let shares = Shares { selected: None, count, per_element };
    let dir = JobDir::new(&cluster.jobs_dir(), entry.name, &submission_id);
    let items = Items {
        file: dir.items(),
        count,
        table: spooled.table.offset,
        shares,
        threads: settings.threads,
    };
    let upstream = spooled.arrays.iter().map(|array| array.upstream.clone()).collect();
    let (work, refused) = (Work::Items(items), Vec::new());
    let spec = Spec { submission_id, work, upstream, requeue, refused };
    let edges = |part, parts| edges_of(part, parts, spooled, &options.edges, settings, per_element);
    let mut parts = split(cluster, entry, &options, &spec, &dir, edges, settings, stage)?;
    parts.submissions.iter_mut().take(1).for_each(|part| {
        part.note_secrets(&spooled.secrets, &dir.items());
    });
    Ok(parts)
}

/// Prepares one submission for each Slurm array that the elements take.
#[allow(clippy::too_many_arguments, reason = "all decisions so far")]
pub(crate) fn split(
    cluster: &Cluster,
    entry: &'static TaskEntry,
    options: &CallOptions,
    spec: &Spec,
    dir: &JobDir,
    edges: impl Fn(usize, usize) -> Result<Vec<Edge>, OptionProblem>,
    settings: &Settings,
    stage: bool,
) -> Result<Parts> {
    let Work::Items(items) = &spec.work else {
        return Err(OptionProblem::new("the submission is not an array").into());
    };
    // Problems of the options are reported below, together with the problems of each part.
    let there = options.merged(cluster, entry, &[], &[]).map(|merged| cluster.for_options(&merged));
    let limits = there.as_ref().unwrap_or(cluster).backend().limits()?;
    let elements = sharing::parts(items.shares.elements(), limits.elements);
    let throttles = settings.max_running.map(|most| sharing::throttles(&elements, u64::from(most)));
    let binary = if stage { cluster.stage_binary()? } else { cluster.binary_path()?.to_owned() };
    let (mut submissions, mut first, mut several) = (Vec::new(), 0, false);
    let each = (0..elements.len()).map(|number| edges(number, elements.len()));
    let each = each.collect::<Result<Vec<_>, _>>()?;
    // The edges of all parts, so that the backend is asked once.
    let (mut open, mut refused) = (each.concat(), Vec::new());
    if stage && let Ok(plain) = options.merged(cluster, entry, &[], &[]) {
        let settled = settle::open(cluster, &plain, &open, Look::AtDoubtful)?;
        open = settled.open;
        refused = settled.refused;
    }
    let refused = refused_elements(&refused, &each, &elements);
    let mut warnings: Vec<String> = warning_of(&refused).into_iter().collect();
    let spec = &Spec { refused, ..spec.clone() };
    for ((number, size), edges) in elements.iter().enumerate().zip(each) {
        let waits: Vec<Edge> = edges.iter().filter(|edge| open.contains(edge)).cloned().collect();
        let mut merged = options.merged(cluster, entry, &edges, &waits)?;
        several = cluster.backend().launcher(&merged) != Launcher::Exec;
        let limit = throttles.as_ref().map(|throttles| format!("%{}", throttles[number]));
        let value = format!("0-{}{}", size - 1, limit.unwrap_or_default());
        merged.put("array", value, Source::CallSite)?;
        let Settings { max_running, max_attempts, .. } = *settings;
        let most = limits.elements;
        let part = Some(Part { number: number as u32, first, max_running, max_attempts, most });
        let (secrets, resumed) = (Vec::new(), settings.resumed.clone());
        let (dir, prologue) = (dir.clone(), options.prologue(cluster, entry));
        let call = Call { entry, spec, dir, edges, waits, secrets, part, resumed, prologue };
        submissions.push(submit::prepare(cluster, call, merged, &binary)?);
        first += size;
    }
    let (shares, max_attempts) = (items.shares.clone(), settings.max_attempts);
    if let Some(first) = submissions.first_mut() {
        warnings.extend(remark(items, settings, limits, elements.len()));
        first.explanation.warnings.append(&mut warnings);
    }
    Ok(Parts { submissions, elements, shares, several, max_attempts })
}

/// Returns the elements whose predecessor has ended without success, given the edges and the size of each Slurm
/// array of the submission.
fn refused_elements(missing: &[MissingItem], edges: &[Vec<Edge>], sizes: &[u64]) -> Vec<Refused> {
    let mut refused: Vec<Refused> = Vec::new();
    let mut first = 0;
    for (edges, size) in edges.iter().zip(sizes) {
        let follows = |missing: &&MissingItem| {
            let is_it =
                |edge: &Edge| edge.kind == DependencyKind::AfterCorr && edge.job == missing.job;
            u64::from(missing.index) < *size && edges.iter().any(is_it)
        };
        for missing in missing.iter().filter(follows) {
            let element = first + u64::from(missing.index);
            if refused.iter().all(|known| known.element != element) {
                refused.push(Refused { element, missing: missing.clone() });
            }
        }
        first += size;
    }
    refused
}

fn warning_of(refused: &[Refused]) -> Option<String> {
    let Refused { missing, .. } = refused.first()?;
    Some(format!(
        "{} of the elements make no calls, because the elements that they follow did not succeed; the first one follows element {} of job {} ({}), which {}",
        refused.len(),
        missing.index,
        missing.job,
        missing.task,
        conclude::words_of(missing)
    ))
}

/// Returns a remark if items share elements, or elements several arrays, although the caller did not ask for
/// it.
fn remark(items: &Items, settings: &Settings, limits: Limits, arrays: usize) -> Option<String> {
    let Shares { count, per_element, .. } = items.shares;
    let most = limits.elements;
    if settings.chunk == Chunk::Each && per_element > 1 {
        let remark = format!(
            "{count} items are more than the {most} elements that an array may have, so each element makes {per_element} calls"
        );
        log::info!("{remark}");
        return Some(remark);
    }
    let several =
        format!("the elements take {arrays} Slurm arrays, as one may have {most} elements");
    (arrays > 1).then_some(several)
}

fn default_cpus(options: &mut CallOptions, entry: &TaskEntry, threads: u32) {
    let by_attribute = entry.options.iter().any(|option| option.key == "cpus_per_task");
    if !by_attribute && !given(&options.options, "cpus_per_task") {
        options.set("cpus_per_task", threads.into());
    }
}

fn per_element(
    cluster: &Cluster,
    spooled: &Spooled,
    options: &OptionSet,
    settings: &Settings,
    several: bool,
) -> Result<u64> {
    if several {
        return match settings.chunk {
            Chunk::Each | Chunk::Of(1) => Ok(1),
            _ => {
                let message = "an element of several processes makes one call";
                Err(OptionProblem::with("chunk", message).hint("leave `chunk` out").into())
            }
        };
    }
    if settings.chunk == Chunk::Each
        && let Some(array) = spooled.candidates(settings).next()
        && let [attempt] = array.upstream.attempts.as_slice()
    {
        // Takes the shape of the array that it follows element by element.
        return Ok(attempt.shares.per_element);
    }
    let there = cluster.for_options(options);
    let backend = there.backend();
    let limits = backend.limits()?;
    let slots = || match settings.max_running {
        Some(most) => u64::from(most),
        None => backend.slots(options),
    };
    Ok(settings.chunk.per_element(spooled.count(), &limits, slots))
}

/// Returns the edges of the Slurm array `part` of `parts`.
fn edges_of(
    part: usize,
    parts: usize,
    spooled: &Spooled,
    given: &[Edge],
    settings: &Settings,
    per_element: u64,
) -> Result<Vec<Edge>, OptionProblem> {
    let mut edges = spooled.edges.clone();
    let corresponding = |array: &ArrayUpstream| {
        let same = matches!(array.upstream.attempts.as_slice(), [attempt]
            if attempt.shares.selected.is_none()
                && attempt.shares.per_element == per_element
                && attempt.shares.count == spooled.count());
        let edges = array.edges(DependencyKind::AfterCorr);
        (same && edges.len() == parts).then(|| edges.into_iter().nth(part)).flatten()
    };
    // Edges to arrays whose results it takes come first.
    for (array, elements, aligned) in spooled.taken_by_item() {
        match corresponding(array).filter(|_| aligned) {
            Some(edge) => edges.push(edge.carrying()),
            None => edges.extend(array.edges_to(elements).into_iter().map(Edge::carrying)),
        }
    }
    edges.extend(given.iter().cloned());
    for array in &settings.corresponding {
        let problem = || {
            let message = format!(
                "`after_corr` needs arrays of the same shape: the array {} has {} items, this one {}",
                array.submission_id,
                array.upstream.count,
                spooled.count()
            );
            OptionProblem::with("after_corr", message).set_in(Some(Source::CallSite))
        };
        edges.push(corresponding(array).ok_or_else(problem)?);
    }
    Ok(edges)
}
