//! Turns an observed end into a `JobError`.

use std::collections::HashSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use slurm_core::codec::{self, CodecError};
use slurm_core::frame::FrameError;
use slurm_core::ids::{JobId, SubmissionId};
use slurm_core::layout::JobDir;
use slurm_core::options::DependencyKind;
use slurm_core::outcome::{Ending, Failure, FailureKind, MissingItem, Outcome};
use slurm_core::segment::{HEADER, Record, RecordKind, Records};
use slurm_core::spec::ReadError;
use slurm_core::state::JobState;
use slurm_host::{Found, Look};
use slurm_runner::exit;

use crate::backend::script::NOT_STARTED;
use crate::backend::{Asked, Backend, Indices, NO_ROOM, Sighting, Testimony, traces, written};
use crate::error::{JobError, JobErrorKind, JobReport, UpstreamFailure};
use crate::model::{Edge, EdgeElement, Explanation};
use crate::poll::{End, Verdict};

/// A submitted call: a job, or an item of an array.
pub(crate) trait Case {
    /// Returns the job's id.
    fn id(&self) -> JobId;
    /// Returns the submission's id.
    fn submission_id(&self) -> &SubmissionId;
    /// Returns the task's name.
    fn task(&self) -> &str;
    /// Returns the directory of the submission.
    fn dir(&self) -> &Path;
    /// Returns the index of the element in the Slurm array and the index of the item.
    fn place(&self) -> Option<(u32, u64)> {
        None
    }
    /// Returns the last run in which the runner reached the task, if there is one.
    fn entered(&self) -> Option<Entered>;
    /// Returns the panic that the runner noted before it could write the outcome.
    fn panic(&self) -> Option<Failure>;
    /// Returns the path of standard error, if it is known, and the end of its content.
    fn stderr_end(&self) -> (Option<PathBuf>, String);
    /// Returns the failed dependencies, with the end of each; see [`upstream`].
    fn upstream(&self) -> Vec<UpstreamFailure>;
    /// Returns the backend that ran it.
    fn backend(&self) -> &dyn Backend;
}

/// A run in which the runner reached the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entered {
    /// The number of restarts of the job before this run.
    pub(crate) run: u32,
    /// Whether a note says that the process has ended by itself before the task had returned.
    pub(crate) has_exited: bool,
}

/// The note of a batch script that did not start the task.
#[derive(Debug)]
struct Refusal {
    /// The number of restarts of the job before this run.
    run: u32,
    reason: Option<String>,
}

impl Refusal {
    fn of(job: &dyn Case) -> Option<Self> {
        let element = job.place().map(|(index, _)| (job.id(), index));
        let path = JobDir::at(job.dir()).not_started(element);
        let bytes = job.backend().host().read(&path, 0).ok().flatten()?;
        let text = String::from_utf8_lossy(&bytes);
        let (run, reason) = text.split_once('\n').unwrap_or_default();
        let reason = Some(reason.trim_end()).filter(|reason| !reason.is_empty());
        // On a full disk the note is empty.
        Some(Self { run: run.parse().unwrap_or(u32::MAX), reason: reason.map(str::to_owned) })
    }
}

/// Returns the error of a job without a usable result file.
pub(crate) fn without_outcome(job: &dyn Case, verdict: &Verdict) -> JobError {
    match verdict {
        Verdict::Unreadable(reason) => {
            let kind = JobErrorKind::Corrupt { reason: format!("not readable: {reason}") };
            JobError { kind, job: report(job, None) }
        }
        Verdict::Ended(end) => ended(job, end),
        Verdict::Outcome(_) => ended(job, &End::Lost(Testimony::default())),
    }
}

/// Returns the error of a job that has ended without a result.
pub(crate) fn ended(job: &dyn Case, end: &End) -> JobError {
    let sighting = match end {
        End::Seen(sighting) => sighting,
        End::Lost(testimony) => {
            let kind = JobErrorKind::Lost { said: testimony.to_string() };
            return JobError { kind, job: report(job, None) };
        }
    };
    let reason = sighting.reason.as_deref().unwrap_or_default();
    let no_room = reason.strip_prefix(NO_ROOM).map(|reason| reason.trim_start_matches(": "));
    let in_vain = if no_room.is_none() { waited_in_vain(job, sighting) } else { None };
    let entered = if ends_by_itself(&sighting.state) { job.entered() } else { None };
    let refusal = if sighting.is_refusal() { Refusal::of(job) } else { None };
    // The task of the same run, or of a later one, may have ended with the script's exit code.
    let is_refusal = sighting.is_refusal()
        && entered.is_none_or(|entered| refusal.as_ref().is_some_and(|of| of.run > entered.run));
    let kind = match (&sighting.state, no_room, in_vain) {
        (_, _, Some(upstream)) => JobErrorKind::DependencyFailed { upstream },
        (JobState::Cancelled, Some(reason), _) => {
            JobErrorKind::WorkflowDeadlock { reason: reason.to_owned() }
        }
        (JobState::OutOfMemory, ..) => JobErrorKind::OutOfMemory,
        (JobState::Timeout | JobState::Deadline, ..) => JobErrorKind::TimedOut,
        (JobState::Cancelled | JobState::Revoked, ..) => JobErrorKind::Cancelled,
        (JobState::Preempted, ..) => JobErrorKind::Preempted,
        (JobState::NodeFail | JobState::BootFail, ..) => JobErrorKind::NodeFailed,
        _ if sighting.entered == Some(true) => JobErrorKind::Crashed,
        _ if entered.is_some() || !is_refusal && ended_after_start(sighting) => {
            JobErrorKind::Crashed
        }
        _ => JobErrorKind::NotStarted,
    };
    // The panic decides, whatever ended the process afterwards.
    let after_panic = match kind {
        JobErrorKind::Crashed | JobErrorKind::OutOfMemory | JobErrorKind::TimedOut => job.panic(),
        _ => None,
    };
    let mut job = report(job, Some(sighting));
    let has_crashed = kind == JobErrorKind::Crashed;
    job.began_before = has_crashed && (is_refusal || ended_before_task(sighting));
    job.is_code_of_task = has_crashed
        && !job.began_before
        && entered.zip(code_of(sighting)).is_some_and(|(entered, code)| is_of_task(entered, code));
    if let Some(failure) = after_panic {
        return JobError { kind: JobErrorKind::Failed(Box::new(failure)), job };
    }
    if is_refusal {
        // The script prints the reason in its last line; a logout may print more after it.
        let said = job.stderr_tail.lines().rev().find_map(|line| line.strip_prefix(NOT_STARTED));
        let noted = refusal.and_then(|refusal| refusal.reason);
        job.reason = noted.or(said.map(str::to_owned)).or(job.reason);
    }
    let ended_by_itself = matches!(kind, JobErrorKind::Crashed | JobErrorKind::NotStarted);
    let kind = if ended_by_itself && tells_of_memory(&job.stderr_tail) {
        JobErrorKind::OutOfMemory
    } else {
        kind
    };
    JobError { kind, job }
}

/// Returns whether the exit code alone proves that the runner had started. On a full disk there may be no other
/// proof.
fn ended_after_start(sighting: &Sighting) -> bool {
    code_of(sighting).is_some_and(exit::is_after_start)
}

/// Returns whether the exit code of the last run is of a runner that ended before it called the task. The task may
/// end its process with the same code, so the code counts only if the source knows that the task was not called.
fn ended_before_task(sighting: &Sighting) -> bool {
    sighting.entered == Some(false) && code_of(sighting).is_some_and(exit::is_before_task)
}

/// Returns whether a job in `state` has ended by itself, according to the state.
fn ends_by_itself(state: &JobState) -> bool {
    use JobState::{
        BootFail, Cancelled, Deadline, NodeFail, OutOfMemory, Preempted, Revoked, Timeout,
    };
    !matches!(
        state,
        OutOfMemory | Timeout | Deadline | Cancelled | Revoked | Preempted | NodeFail | BootFail
    )
}

/// Returns the exit code, if no signal ended the job.
fn code_of(sighting: &Sighting) -> Option<u8> {
    let exit = sighting.exit.filter(|exit| exit.signal == 0);
    exit.and_then(|exit| u8::try_from(exit.code).ok())
}

/// Returns whether the task itself has ended its process with `code`, which may also be one of the runner's
/// codes.
fn is_of_task(entered: Entered, code: u8) -> bool {
    match code {
        // These are also true for a process that ended by itself, or for an element.
        exit::EXITED | exit::STOPPED => false,
        // A runner that reached the task never ends with these.
        exit::SPEC | exit::UNKNOWN_TASK | exit::VERSION | exit::SETUP | exit::UNFIT => true,
        _ => entered.has_exited,
    }
}

/// Returns the failed dependencies if the job ended because of them. The accounting records such an end as a
/// cancellation, so the upstream jobs decide.
fn waited_in_vain(job: &dyn Case, sighting: &Sighting) -> Option<Vec<UpstreamFailure>> {
    let reason = sighting.reason.as_deref();
    let is_certain = matches!(reason, Some("DependencyNeverSatisfied" | "Dependency"));
    if !sighting.may_have_waited_in_vain() || !is_certain && job.entered().is_some() {
        return None;
    }
    let upstream = job.upstream();
    (is_certain || !upstream.is_empty()).then_some(upstream)
}

/// Returns the jobs behind `edges` that did not end as required, with the end of each. For a job that never ran
/// because of a dependency, the text names the root failure.
pub(crate) fn upstream(backend: &dyn Backend, edges: &[Edge]) -> Vec<UpstreamFailure> {
    let mut looks = Looks { backend, left: MOST_LOOKS, seen: HashSet::new() };
    let told = |Failing { mut failure, first }: Failing| {
        if let Some(UpstreamFailure { job, task, message }) = first {
            failure.message.push_str(&format!(" because job {job} ({task}) {message}"));
        }
        failure
    };
    edges.iter().filter_map(|edge| looks.at(edge).map(told)).collect()
}

/// The limit on the upstream jobs that are looked at for one error.
const MOST_LOOKS: usize = 32;

/// Looks for the reason why jobs have failed.
struct Looks<'a> {
    backend: &'a dyn Backend,
    /// The number of jobs that may still be looked at.
    left: usize,
    /// The jobs or elements that were looked at already, with the required end.
    seen: HashSet<(JobId, Option<u32>, DependencyKind)>,
}

/// The failure of an upstream job.
struct Failing {
    failure: UpstreamFailure,
    /// The root failure, if it is another job.
    first: Option<UpstreamFailure>,
}

impl Looks<'_> {
    /// Returns the failure of the job behind `edge`, if it did not end as required.
    fn at(&mut self, edge: &Edge) -> Option<Failing> {
        let needs = |kinds: &[DependencyKind]| kinds.contains(&edge.kind);
        let needs_failure = needs(&[DependencyKind::AfterNotOk]);
        if !needs_failure && !needs(&[DependencyKind::AfterOk, DependencyKind::AfterCorr]) {
            // Any end is accepted.
            return None;
        }
        let fate = match (edge.items, edge.element) {
            (None, _) => job_failure(self.backend, edge),
            (Some(_), Some(element @ EdgeElement { item: Some(item), .. })) => {
                item_failure(self.backend, edge, element, item)
            }
            (Some(_), _) => array_failure(self.backend, edge),
        };
        let (message, never_ran) = match (fate, needs_failure) {
            (Some(fate), false) => fate,
            (None, true) => ("succeeded".to_owned(), false),
            (None, false) | (Some(_), true) => return None,
        };
        let first = if never_ran { self.first_before(edge) } else { None };
        let failure = UpstreamFailure { job: edge.job, task: edge.task.clone(), message };
        Some(Failing { failure, first })
    }

    /// Returns the root failure for the job behind `edge`, which could never run, from the dependencies in its
    /// directory.
    fn first_before(&mut self, edge: &Edge) -> Option<UpstreamFailure> {
        let path = JobDir::at(&edge.dir).job_json();
        let text = self.backend.host().read(&path, 0).ok().flatten()?;
        let after = serde_json::from_slice::<Explanation>(&text).ok()?.after;
        after.iter().find_map(|edge| {
            // Several paths may lead to the same job.
            let index = edge.element.map(|element| element.index);
            if !self.seen.insert((edge.job, index, edge.kind)) {
                return None;
            }
            self.left = self.left.checked_sub(1)?;
            let failing = self.at(edge)?;
            Some(failing.first.unwrap_or(failing.failure))
        })
    }
}

/// The end of a job or an array in words, and whether it may never have run because of another job.
type Fate = (String, bool);

/// Returns whether a job with this sighting may never have run because of another job.
fn may_have_waited_in_vain(seen: &Sighting) -> bool {
    seen.waits_in_vain() || seen.state == JobState::Cancelled && seen.cancelled_by.is_none()
}

fn job_failure(backend: &dyn Backend, edge: &Edge) -> Option<Fate> {
    let result = backend.host().read(&JobDir::at(&edge.dir).result(), 0).ok().flatten();
    let outcome = result.and_then(|bytes| Some(Outcome::from_bytes(&bytes).ok()?.0.ending));
    match outcome {
        Some(Ending::Failure(failure)) => Some((format!("failed: {failure}"), false)),
        Some(Ending::Value(_)) => None,
        None => {
            let ended_as = |state: &JobState| format!("ended as {state}");
            let seen = backend.survey(&[Asked::job(edge.job)]).ok()?.seen.remove(&edge.job);
            match seen {
                Some(seen) => {
                    seen.is_end().then(|| (ended_as(&seen.state), may_have_waited_in_vain(&seen)))
                }
                None => traces::was_cancelled(backend.host(), &JobDir::at(&edge.dir))
                    .ok()?
                    .then(|| (ended_as(&JobState::Cancelled), false)),
            }
        }
    }
}

/// Returns why an item has no value, or `None` if it has one or may still get one.
fn item_failure(
    backend: &dyn Backend,
    edge: &Edge,
    element: EdgeElement,
    item: u64,
) -> Option<Fate> {
    let segment = JobDir::at(&edge.dir).segment(element.number);
    let bytes = backend.host().read(&segment, 0).ok().flatten().unwrap_or_default();
    let is_it = |record: &Record| {
        record.index == item && matches!(record.kind, RecordKind::Value | RecordKind::Failure)
    };
    match Records::new(&bytes, HEADER).filter(is_it).last() {
        Some(record) if record.kind == RecordKind::Value => None,
        Some(record) => {
            let failure = codec::decode::<Failure>(&bytes[record.payload]);
            let failure = failure.map_or_else(|e| e.to_string(), |f| f.to_string());
            Some((failed_item(item, failure), false))
        }
        None => ended_without(backend, edge.job, element.index, item),
    }
}

fn failed_item(item: u64, failure: impl Display) -> String {
    format!("failed: item {item}: {failure}")
}

/// Returns the end of the element of an item that has left nothing, if it has ended.
fn ended_without(backend: &dyn Backend, job: JobId, index: u32, item: u64) -> Option<Fate> {
    let asked = Asked { job, elements: Some(vec![(index, index)]) };
    let survey = backend.survey(&[asked]).ok()?;
    let seen = survey.element(job, index).filter(|seen| seen.is_end())?;
    let message = format!("{}: its element ended as {}", no_value(item), seen.state);
    Some((message, may_have_waited_in_vain(seen)))
}

fn no_value(item: u64) -> String {
    format!("left no value of item {item}")
}

/// Returns why an item has no value, from what it has left.
pub(crate) fn words_of(missing: &MissingItem) -> String {
    let failure = missing.failure.as_ref();
    failure.map_or_else(|| no_value(missing.item), |failure| failed_item(missing.item, failure))
}

/// Returns the failure of an item whose value a runner did not find.
fn missing_item(backend: &dyn Backend, missing: MissingItem) -> UpstreamFailure {
    let MissingItem { task, job, index, item, failure } = missing;
    let failure = failure.map(|failure| failed_item(item, failure));
    let ended = || ended_without(backend, job, index, item).map(|(message, _)| message);
    let message = failure.or_else(ended);
    UpstreamFailure { job, task, message: message.unwrap_or_else(|| no_value(item)) }
}

fn array_failure(backend: &dyn Backend, edge: &Edge) -> Option<Fate> {
    let bad = ended_badly(backend, edge);
    let dir = JobDir::at(&edge.dir);
    let look = Look::Dir { path: dir.segments() };
    let listed = backend.host().look(&[look], u64::MAX).ok()?.pop()?.ok()?;
    let names = if let Found::Names(names) = listed { names } else { Vec::new() };
    let mut elements: Vec<u64> = names.iter().filter_map(|name| name.parse().ok()).collect();
    // Elements that the backend reports as failed come first. In a further Slurm array of the submission they
    // have other numbers, so there the order is arbitrary.
    let is_bad = |element: &u64| {
        let has =
            |(first, last): &(u32, u32)| (u64::from(*first)..=u64::from(*last)).contains(element);
        bad.iter().flat_map(|(indices, _)| indices).any(has)
    };
    elements.sort_unstable_by_key(|element| (!is_bad(element), *element));
    let count = edge.items.unwrap_or_default();
    let likely = elements.iter().take_while(|element| is_bad(element)).count();
    let (likely, others) = elements.split_at(likely);
    // One failure is enough, and segments may be many and large.
    let mut batches = likely.chunks(1).chain(others.chunks(8));
    let failure = batches.find_map(|batch| first_failure(backend, &dir, batch));
    let told = failure
        .map(|(index, failure)| (format!("failed: item {index} of its {count}: {failure}"), false));
    told.or_else(|| {
        let (indices, seen) = bad.first()?;
        let which = match indices.is_empty() {
            true => "it".to_owned(),
            false => format!("element {}", written(indices)),
        };
        let message = format!("did not succeed: {which} ended as {}", seen.state);
        Some((message, may_have_waited_in_vain(seen)))
    })
}

/// Returns the first failure in the segments of some elements.
fn first_failure(backend: &dyn Backend, dir: &JobDir, elements: &[u64]) -> Option<(u64, String)> {
    let look = |element: &u64| Look::File { path: dir.segment(*element), offset: 0 };
    let looks: Vec<Look> = elements.iter().map(look).collect();
    let found = backend.host().look(&looks, u64::MAX).ok()?.into_iter().flatten();
    found.filter_map(Found::into_bytes).find_map(|bytes| {
        let mut records = Records::new(&bytes, HEADER);
        let record = records.find(|record| record.kind == RecordKind::Failure)?;
        let failure = codec::decode::<Failure>(&bytes[record.payload]);
        Some((record.index, failure.map_or_else(|e| e.to_string(), |f| f.to_string())))
    })
}

/// Returns the elements that did not succeed, according to the backend. The indices are empty for a line about
/// the whole array.
fn ended_badly(backend: &dyn Backend, edge: &Edge) -> Vec<(Indices, Sighting)> {
    let Ok(mut survey) = backend.survey(&[Asked::job(edge.job)]) else {
        return Vec::new();
    };
    let mut bad = survey.elements.remove(&edge.job).unwrap_or_default();
    bad.extend(survey.seen.remove(&edge.job).map(|seen| (Indices::new(), seen)));
    bad.retain(|(_, seen)| seen.is_end() && seen.state != JobState::Completed);
    bad
}

/// Returns whether Slurm wrote into the log that memory ran out. Without cgroups the job only shows as failed.
/// Source of the phrases: `slurmstepd/req.c`, `jobacct_gather.c` and `task_cgroup_memory.c`, 20.11 to 25.11.
fn tells_of_memory(stderr: &str) -> bool {
    let line_tells = |line: &str| {
        // From 25.05 on the lines do not begin with slurmstepd's name.
        let is_of_slurm = |line: &str| line.contains("error: ") && line.contains("StepId=");
        (line.starts_with("slurmstepd") || is_of_slurm(line))
            && ["exceeded memory limit", "oom-kill event", "oom_kill event"]
                .iter()
                .any(|words| line.contains(words))
    };
    stderr.lines().any(line_tells)
}

/// Returns the error of a job whose result file cannot be decoded.
pub(crate) fn unreadable(job: &dyn Case, error: &ReadError) -> JobError {
    let reason = error.to_string();
    let kind = match error {
        ReadError::Frame(FrameError::Version { .. }) => JobErrorKind::VersionMismatch { reason },
        _ => JobErrorKind::Corrupt { reason },
    };
    JobError { kind, job: report(job, None) }
}

/// Returns the error of a job whose function did not return a value, in this run if it is known.
pub(crate) fn failed(
    job: &dyn Case,
    failure: Failure,
    node: Option<&str>,
    run: Option<u32>,
) -> JobError {
    let mut report = report(job, None);
    report.state = Some(JobState::Failed);
    report.node = node.map(str::to_owned);
    if let Some(missing) = failure.missing {
        let upstream = vec![missing_item(job.backend(), *missing)];
        return JobError { kind: JobErrorKind::DependencyFailed { upstream }, job: report };
    }
    // Slurm may start a job although the result that it takes is missing.
    let without_argument = failure.kind == FailureKind::Argument;
    let upstream = if without_argument { job.upstream() } else { Vec::new() };
    if !upstream.is_empty() {
        return JobError { kind: JobErrorKind::DependencyFailed { upstream }, job: report };
    }
    let kind = match failure.kind {
        FailureKind::Signature | FailureKind::UnknownTask | FailureKind::Version => {
            JobErrorKind::VersionMismatch { reason: failure.message }
        }
        FailureKind::Requeue => JobErrorKind::NotRequeued { reason: failure.message },
        FailureKind::Exited => JobErrorKind::Crashed,
        FailureKind::Spec => {
            report.reason = Some(failure.message);
            let entered = run.and_then(|run| Some((job.entered()?, run)));
            report.began_before = entered.is_some_and(|(entered, run)| entered.run < run);
            if report.began_before { JobErrorKind::Crashed } else { JobErrorKind::NotStarted }
        }
        _ => JobErrorKind::Failed(Box::new(failure)),
    };
    JobError { kind, job: report }
}

/// Returns the error of a job whose result belongs to another task or has other types.
pub(crate) fn foreign(job: &dyn Case, task: &str) -> JobError {
    let expected = job.task();
    let reason = if task == expected {
        format!("`{task}` had other parameter or return types in the program that ran it")
    } else {
        format!("the result belongs to `{task}`, not to `{expected}`")
    };
    JobError { kind: JobErrorKind::VersionMismatch { reason }, job: report(job, None) }
}

/// Returns the error of a job whose value cannot be decoded.
pub(crate) fn undecodable(job: &dyn Case, error: &CodecError) -> JobError {
    let reason = format!("the value {error}");
    JobError { kind: JobErrorKind::VersionMismatch { reason }, job: report(job, None) }
}

fn report(job: &dyn Case, sighting: Option<&Sighting>) -> JobReport {
    let exit = sighting.and_then(|sighting| sighting.exit);
    let (stderr_file, stderr_end) = job.stderr_end();
    JobReport {
        id: job.id(),
        index: job.place().map(|(index, _)| index),
        item: job.place().map(|(_, item)| item),
        submission_id: job.submission_id().clone(),
        task: job.task().to_owned(),
        state: sighting.map(|sighting| sighting.state.clone()),
        node: sighting.and_then(|sighting| sighting.nodes.clone()),
        exit_code: exit.map(|exit| exit.code),
        signal: exit.map(|exit| exit.signal).filter(|signal| *signal != 0),
        reason: sighting.and_then(|sighting| sighting.reason.clone()),
        stderr_tail: tail(&stderr_end),
        stderr_file,
        dir: job.dir().to_owned(),
        host: job.backend().host().name().map(str::to_owned),
        is_code_of_task: false,
        began_before: false,
    }
}

/// Returns the last twenty lines.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().rev().take(20).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slurms_lines_about_memory_are_recognised_in_every_release() {
        for line in [
            "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=12.batch.",
            "slurmstepd-n1: error: StepId=12.batch exceeded memory limit (1234 > 256), being killed",
            "[2026-11-28T12:00:00.000] error: Detected 1 oom_kill event in StepId=12.batch.",
            "error: StepId=12.batch exceeded memory limit (1234 > 256), being killed",
        ] {
            assert!(tells_of_memory(&format!("before\n{line}\n")), "{line}");
        }
        assert!(!tells_of_memory("my model exceeded memory limit\n"), "the task's own words");
    }
}
