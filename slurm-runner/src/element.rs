//! One element of an array: its share of the calls, one after another or several at a time.

use std::cell::Cell;
use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use slurm_core::context::{JobContext, StopFlag};
use slurm_core::items::{ItemReader, ItemTable};
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Failure, FailureKind, RunReport};
use slurm_core::segment::SegmentWriter;
use slurm_core::spec::{Items, Spec};
use slurm_core::task::{Arguments, TaskEntry};

use crate::arguments::{self, Resolver};
use crate::panics::PanicLog;
use crate::requeue::Requeueing;
use crate::run::{context, watch_signals};
use crate::tell::tell;
use crate::together::together;
use crate::{environment, exit, exited, stack};

/// What is finished goes to the disk itself at least this often.
const SYNC: Duration = Duration::from_secs(1);

thread_local! {
    /// The item that this thread is at, for the hook of a panic that aborts.
    static CURRENT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Makes the calls of the element `first` plus the array index, and returns the exit code.
pub(crate) fn element(
    spec: &Spec,
    items: &Items,
    entry: &'static TaskEntry,
    dir: &JobDir,
    first: u64,
    started_at: u64,
) -> u8 {
    let stop = StopFlag::default();
    let requeueing = Arc::new(Requeueing::new(spec.requeue.clone(), dir.clone(), stop.clone()));
    let at_timeout = Arc::clone(&requeueing);
    // The next run makes the calls that this one does not finish.
    watch_signals(&stop, move |ago| at_timeout.requeue_in_time(ago, None));
    let context = context(spec, dir.clone(), stop.clone());
    let number = first + u64::from(context.array_index().unwrap_or(0));
    let run = environment::report(started_at);
    let reader =
        ItemReader::open(&items.file, ItemTable { count: items.count, offset: items.table });
    let reader = match reader {
        Ok(reader) => reader,
        Err(error) => {
            let message = format!("cannot use {}: {error}", items.file.display());
            tell(&Failure::new(FailureKind::Spec, message));
            return exit::SPEC;
        }
    };
    let panics = PanicLog::default();
    let asked = Mutex::default();
    let refusal = spec.refused.iter().find(|refused| refused.element == number);
    let refusal = refusal.map(|refused| arguments::refused(&refused.missing));
    let mut work =
        Work { spec, entry, context, reader, panics, output: None, stop, asked, refusal };
    let share = items.shares.of_element(number);
    environment::mark_entered();
    if environment::is_one_of_several() {
        return together(&work, &requeueing, dir, number, &share, run);
    }
    let (writer, done) = match SegmentWriter::open(&dir.segment(number), entry.signature, &run) {
        Ok(opened) => opened,
        Err(error) => return no_output(&error),
    };
    let output = Arc::new(Output {
        writer: Mutex::new((writer, HashSet::new())),
        synced: Mutex::new(Instant::now()),
    });
    work.output = Some(Arc::clone(&output));
    let on_abort = (Arc::clone(&output), Arc::clone(&output));
    // A record that cannot be written while the process is dying is lost.
    work.panics.install(
        move |failure| {
            let _ = CURRENT.get().map(|index| on_abort.0.panicked(index, failure));
        },
        move |failure| {
            let _ = CURRENT.get().map(|index| on_abort.1.item(index, Err(&failure)));
        },
    );
    exited::watch({
        let (output, run) = (Arc::clone(&output), run.clone());
        move || {
            // One of the threads may be about to write.
            if let Ok(mut writer) = output.writer.try_lock() {
                let run = RunReport { finished_at: environment::now_micros(), ..run };
                let _ = writer.0.end(&run);
            }
        }
    });
    let mut share: Vec<u64> =
        share.into_iter().filter(|index| !done.items.contains(index)).collect();
    let threads = items.threads.max(1) as usize;
    let mut ended = work.all(&share, threads);
    requeueing.decide();
    loop {
        let asked = std::mem::take(&mut *work.asked.lock().unwrap_or_else(PoisonError::into_inner));
        let Some((_, first)) = asked.first() else { break };
        match requeueing.ask(&first.message) {
            Ok(code) => return code,
            Err(refusal) => {
                let written =
                    asked.iter().try_for_each(|(index, _)| output.item(*index, Err(&refusal)));
                tell(&refusal);
                if let Err(error) = written.and(ended) {
                    return no_output(&error);
                }
                // There is no next run for the rest of the calls.
                output.retain_open(&mut share);
                ended = work.all(&share, threads).map(|ended| match ended {
                    Ended::Well => Ended::Badly,
                    other => other,
                });
            }
        }
    }
    let run = RunReport {
        finished_at: environment::now_micros(),
        peak_memory_kib: environment::peak_memory_kib(),
        ..run
    };
    let ended = ended.and_then(|well| {
        let (writer, _) = &mut *output.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.end(&run).map(|()| well)
    });
    match ended {
        // The exit code speaks for all runs of the element.
        Ok(Ended::Well) if done.any_failed => exit::FAILED,
        Ok(Ended::Well) => exit::DONE,
        Ok(Ended::Badly) => exit::FAILED,
        Ok(Ended::Stopped) => exit::STOPPED,
        Err(error) => no_output(&error),
    }
}

fn unwritten(error: &io::Error) -> Failure {
    Failure::new(FailureKind::Value, format!("results cannot be written: {error}"))
}

pub(crate) fn no_output(error: &io::Error) -> u8 {
    tell(&unwritten(error));
    exit::unwritten(error)
}

/// How the calls of an element ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Well,
    /// At least one failed.
    Badly,
    /// Some were not begun, as the job was asked to stop.
    Stopped,
}

#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) entry: &'static TaskEntry,
    pub(crate) context: JobContext,
    reader: ItemReader,
    pub(crate) panics: PanicLog,
    output: Option<Arc<Output>>,
    stop: StopFlag,
    /// The items that want another run.
    asked: Mutex<Vec<(u64, Failure)>>,
    /// The failure of all calls, if they must not be made.
    refusal: Option<Failure>,
}

#[derive(Debug)]
struct Output {
    /// The segment, and the items that this run has written into it.
    writer: Mutex<(SegmentWriter, HashSet<u64>)>,
    synced: Mutex<Instant>,
}

impl Output {
    fn item(&self, index: u64, ending: Result<&[u8], &Failure>) -> io::Result<()> {
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

    /// Notes the failure of an item before it is complete.
    fn panicked(&self, index: u64, failure: &Failure) -> io::Result<()> {
        let (writer, _) = &mut *self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.panicked(index, failure)
    }

    /// As [`item`](Self::item), but replaces a value that cannot be written by a failure with the reason. A failure is
    /// small, so it may fit where the value did not.
    fn item_or_why_not(&self, index: u64, ending: Result<&[u8], &Failure>) -> io::Result<()> {
        let written = self.item(index, ending);
        if let (Err(error), Ok(_)) = (&written, ending) {
            let _ = self.item(index, Err(&unwritten(error)));
        }
        written
    }

    /// Leaves of `share` what this run has not written.
    fn retain_open(&self, share: &mut Vec<u64>) {
        let (_, written) = &*self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        share.retain(|index| !written.contains(index));
    }
}

impl Work<'_> {
    /// Makes the calls `share`, on as many threads.
    fn all(&self, share: &[u64], threads: usize) -> io::Result<Ended> {
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
                    // The others that have begun finish; the rest is for the next run.
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
                    // The hook has printed a panic already.
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
                    // If there can be no more threads, those that there are do the work.
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

    /// Makes the call `index`.
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
                    // From here on the panic is known, even if the process is killed.
                    let note = |failure: &Failure| {
                        let _ = self.output.as_ref().map(|output| output.panicked(index, failure));
                    };
                    Err(self.panics.failure(payload.as_ref(), note))
                });
        CURRENT.set(None);
        ending
    }
}
