//! The calls of an element, and the segment that keeps their outcomes.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use slurm_core::context::{JobContext, StopFlag};
use slurm_core::items::ItemReader;
use slurm_core::outcome::{Failure, FailureKind};
use slurm_core::segment::SegmentWriter;
use slurm_core::spec::Spec;
use slurm_core::task::{Arguments, TaskEntry};

use crate::arguments::Resolver;
use crate::panics::PanicLog;
use crate::tell::tell;
use crate::{exit, stack};

/// The segment is synced at least this often.
const SYNC: Duration = Duration::from_secs(1);

thread_local! {
    /// The item of this thread's current call, for the hook of a panic that aborts.
    pub(crate) static CURRENT: Cell<Option<u64>> = const { Cell::new(None) };
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::new(FailureKind::Value, format!("results cannot be written: {error}"))
}

/// Prints that the results cannot be written, and returns the exit code for that.
pub(crate) fn no_output(error: &io::Error) -> u8 {
    tell(&unwritten(error));
    exit::unwritten(error)
}

/// How the calls of an element ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Well,
    /// At least one call failed.
    Badly,
    /// Some calls were not begun, because the job was asked to stop.
    Stopped,
}

/// The work of an element.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) entry: &'static TaskEntry,
    pub(crate) context: JobContext,
    pub(crate) reader: ItemReader,
    pub(crate) panics: PanicLog,
    pub(crate) output: Option<Arc<Output>>,
    pub(crate) stop: StopFlag,
    /// The items that ask for another run.
    pub(crate) asked: Mutex<Vec<(u64, Failure)>>,
    /// The failure of all calls, if they must not be made.
    pub(crate) refusal: Option<Failure>,
}

/// The segment of an element, and the items that this run has written to it.
#[derive(Debug)]
pub(crate) struct Output {
    /// The segment, and the items that this run has written into it.
    pub(crate) writer: Mutex<(SegmentWriter, HashSet<u64>)>,
    /// When the segment was last synced.
    pub(crate) synced: Mutex<Instant>,
}

impl Output {
    pub(crate) fn item(&self, index: u64, ending: Result<&[u8], &Failure>) -> io::Result<()> {
        let (writer, written) = &mut *self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.item(index, ending)?;
        written.insert(index);
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        if synced.elapsed() >= SYNC {
            writer.sync()?;
            *synced = Instant::now();
        }
        Ok(())
    }

    /// Notes the panic of an item before its failure is complete.
    pub(crate) fn panicked(&self, index: u64, failure: &Failure) -> io::Result<()> {
        let (writer, _) = &mut *self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.panicked(index, failure)
    }

    /// Does what [`item`](Self::item) does, but replaces a value that cannot be written by a failure with the
    /// reason. A failure is small, so it may fit where the value did not.
    fn item_or_why_not(&self, index: u64, ending: Result<&[u8], &Failure>) -> io::Result<()> {
        let written = self.item(index, ending);
        if let (Err(error), Ok(_)) = (&written, ending) {
            let _ = self.item(index, Err(&unwritten(error)));
        }
        written
    }

    /// Keeps in `share` only the items that this run has not written.
    pub(crate) fn retain_open(&self, share: &mut Vec<u64>) {
        let (_, written) = &*self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        share.retain(|index| !written.contains(index));
    }
}

impl Work<'_> {
    /// Makes the calls of the items in `share`, on up to `threads` threads.
    pub(crate) fn all(&self, share: &[u64], threads: usize) -> io::Result<Ended> {
        let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let error = Mutex::new(None);
        let on_thread = || {
            let mut context = self.context.clone();
            let resolver = Resolver::new(&self.spec.upstream);
            while !self.stop.is_last() {
                let Some(index) = share.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                let ending = self.one(*index, &mut context, &resolver);
                if let Err(failure) = &ending
                    && failure.kind == FailureKind::Requeue
                {
                    // Calls that have begun finish; the next run makes the others.
                    next.store(share.len(), Ordering::Relaxed);
                    let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
                    asked.push((*index, failure.clone()));
                    return;
                }
                let written = self.output.as_ref().map_or(Ok(()), |output| {
                    output.item_or_why_not(*index, ending.as_ref().map(Vec::as_slice))
                });
                if let Err(failure) = &ending {
                    failed.store(true, Ordering::Relaxed);
                    // The hook has already printed a panic.
                    if failure.kind != FailureKind::Panic {
                        tell(failure);
                    }
                }
                if let Err(problem) = written {
                    next.store(share.len(), Ordering::Relaxed);
                    error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
                }
            }
        };
        match threads.min(share.len()) {
            0 | 1 => on_thread(),
            threads => thread::scope(|scope| {
                for _ in 1..threads {
                    // If the system starts no more threads, the existing ones do the work.
                    let builder = thread::Builder::new().name("slurm-items".to_owned());
                    let builder = builder.stack_size(stack::size());
                    let _ = builder.spawn_scoped(scope, on_thread);
                }
                on_thread();
            }),
        }
        if let Some(error) = error.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(error);
        }
        Ok(if next.load(Ordering::Relaxed) < share.len() {
            Ended::Stopped
        } else if failed.load(Ordering::Relaxed) {
            Ended::Badly
        } else {
            Ended::Well
        })
    }

    /// Makes the call of the item `index`.
    pub(crate) fn one(
        &self,
        index: u64,
        context: &mut JobContext,
        resolver: &Resolver<'_>,
    ) -> Result<Vec<u8>, Failure> {
        if let Some(refusal) = &self.refusal {
            return Err(refusal.clone());
        }
        let arguments = self.reader.read(index).map_err(|error| {
            Failure::new(FailureKind::Argument, format!("item {index} cannot be read: {error}"))
        })?;
        let owned = resolver.resolve(&arguments)?;
        let slices: Vec<&[u8]> = owned.iter().map(AsRef::as_ref).collect();
        context.set_item(index);
        CURRENT.set(Some(index));
        let ending =
            catch_unwind(AssertUnwindSafe(|| (self.entry.run)(context, Arguments::new(&slices))))
                .unwrap_or_else(|payload| {
                    // From here on the panic is noted, even if the process is killed.
                    let note = |failure: &Failure| {
                        let _ = self.output.as_ref().map(|output| output.panicked(index, failure));
                    };
                    Err(self.panics.failure(payload.as_ref(), note))
                });
        CURRENT.set(None);
        ending
    }
}
