//! An array element that several processes make together, as one call.

use std::path::Path;

use slurm_core::codec;
use slurm_core::durable;
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Failure, FailureKind, RunReport};
use slurm_core::segment::{RecordKind, header, push_record};
use slurm_core::spec::{Spec, Work as Described};

use crate::arguments::Resolver;
use crate::items::{Work, no_output};
use crate::requeue::Requeueing;
use crate::tell::tell;
use crate::{environment, exit, exited};

/// Makes the call of the element `number` in one of its processes, and returns the exit code.
///
/// When all processes have succeeded, the segment of the first one becomes the element's segment. A process
/// that fails publishes its failure at once. A process that asks for another run publishes nothing.
pub(crate) fn together(
    work: &Work<'_>,
    requeueing: &Requeueing,
    dir: &JobDir,
    number: u64,
    share: &[u64],
    run: RunReport,
) -> u8 {
    let rank = work.context.rank();
    let segment = dir.segment(number);
    let value = dir.value_segment(number, work.context.restart_count());
    // An empty file proves that the task was reached. Without it, an end by `_exit` would look like an end
    // before the task.
    let _ = durable::append_to(&value);
    work.panics.install(|_| {}, |_| {});
    let mut bytes = Segment::new(work.entry.signature, share.len(), &run);
    exited::watch({
        let (segment, bytes, run) = (segment.clone(), Segment(bytes.0.clone()), run.clone());
        // The segment has no item: after such an exit no process can publish a value.
        move || drop(durable::write_first(&segment, &bytes.end(run)))
    });
    let mut context = work.context.clone();
    let resolver = Resolver::new(&work.spec.upstream);
    let mut ended = Vec::new();
    for index in share {
        ended.push((*index, work.one(*index, &mut context, &resolver)));
    }
    requeueing.decide();
    let (mut code, mut to_tell) = (exit::DONE, Vec::new());
    for (index, ending) in ended {
        let ending = match ending {
            Err(failure) if failure.kind == FailureKind::Requeue => {
                match requeueing.ask(&failure.message) {
                    Ok(code) => return code,
                    Err(refusal) => Err(refusal),
                }
            }
            ending => ending,
        };
        match ending {
            Ok(value) => bytes.push(RecordKind::Value, index, &value),
            Err(failure) => {
                bytes.push_failure(index, &failure);
                if failure.kind != FailureKind::Panic {
                    to_tell.push(failure);
                }
                code = exit::FAILED;
            }
        }
    }
    let bytes = bytes.end(run);
    let written = match (code, rank) {
        (exit::DONE, 0) => durable::write(&value, &bytes),
        (exit::DONE, _) => Ok(()),
        _ => durable::write_first(&segment, &bytes),
    };
    let code = written.map_or_else(|error| no_output(&error), |()| code);
    to_tell.iter().for_each(|failure| tell(failure));
    code
}

/// Makes `failure` the outcome of the element `number` of the array in the spec at `path`, unless the element
/// has an outcome.
pub(crate) fn publish(path: &Path, dir: &JobDir, number: u64, failure: &Failure) {
    let Ok(described) = std::fs::read(path) else { return };
    let Ok((spec, frame)) = Spec::from_bytes(&described) else { return };
    let Described::Items(items) = &spec.work else { return };
    let run = environment::report(environment::now_micros());
    let share = items.shares.of_element(number);
    let mut bytes = Segment::new(frame.signature, share.len(), &run);
    for index in share {
        bytes.push_failure(index, failure);
    }
    if let Err(error) = durable::write_first(&dir.segment(number), &bytes.end(run)) {
        no_output(&error);
    }
}

/// A segment that is built in memory and written in one piece.
struct Segment(Vec<u8>);

impl Segment {
    fn new(signature: u64, items: usize, run: &RunReport) -> Self {
        let items = u32::try_from(items).unwrap_or(u32::MAX);
        let mut segment = Self(header(signature, items));
        segment.push(RecordKind::RunBegins, 0, &codec::encode(run).unwrap_or_default());
        segment
    }

    fn push(&mut self, kind: RecordKind, index: u64, payload: &[u8]) {
        push_record(&mut self.0, kind, index, payload);
    }

    fn push_failure(&mut self, index: u64, failure: &Failure) {
        self.push(RecordKind::Failure, index, &codec::encode(failure).unwrap_or_default());
    }

    fn end(mut self, run: RunReport) -> Vec<u8> {
        let run = RunReport { finished_at: environment::now_micros(), ..run };
        self.push(RecordKind::RunEnds, 0, &codec::encode(&run).unwrap_or_default());
        self.0
    }
}
