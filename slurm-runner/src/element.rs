//! The run of an array element: its calls, one after another or several at a time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use slurm_core::context::StopFlag;
use slurm_core::items::{ItemReader, ItemTable};
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Failure, FailureKind, RunReport};
use slurm_core::segment::SegmentWriter;
use slurm_core::spec::{Items, Spec};
use slurm_core::task::TaskEntry;

use crate::items::{CURRENT, Ended, Output, Work, no_output};
use crate::panics::PanicLog;
use crate::requeue::Requeueing;
use crate::tell::tell;
use crate::together::together;
use crate::{arguments, environment, exit, exited, signals};

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
    // The next run makes the calls that this run does not finish.
    signals::watch(&stop, move |ago| at_timeout.requeue_in_time(ago, None));
    let context = environment::context(spec, dir.clone(), stop.clone());
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
    let of_element = u32::try_from(share.len()).unwrap_or(u32::MAX);
    let segment = dir.segment(number);
    let opened = SegmentWriter::open(&segment, entry.signature, of_element, &run);
    let (writer, done) = match opened {
        Ok(opened) => opened,
        Err(error) => return no_output(&error),
    };
    let output = Arc::new(Output {
        writer: Mutex::new((writer, HashSet::new())),
        synced: Mutex::new(Instant::now()),
    });
    work.output = Some(Arc::clone(&output));
    let on_abort = (Arc::clone(&output), Arc::clone(&output));
    // The process is dying, so a record that cannot be written is lost.
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
            // A thread may hold the lock in order to write.
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
                // Without a next run, this run makes the remaining calls.
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
        // The exit code describes all runs of the element together.
        Ok(Ended::Well) if done.any_failed => exit::FAILED,
        Ok(Ended::Well) => exit::DONE,
        Ok(Ended::Badly) => exit::FAILED,
        Ok(Ended::Stopped) => exit::STOPPED,
        Err(error) => no_output(&error),
    }
}
