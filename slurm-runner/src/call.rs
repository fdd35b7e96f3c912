//! The run of a single call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use slurm_core::context::StopFlag;
use slurm_core::events::{Event, EventKind};
use slurm_core::layout::JobDir;
use slurm_core::outcome::{Ending, Failure, FailureKind};
use slurm_core::spec::{Argument, Spec};
use slurm_core::task::{Arguments, TaskEntry};

use crate::arguments::Resolver;
use crate::panics::PanicLog;
use crate::requeue::Requeueing;
use crate::tell::tell;
use crate::writer::Writer;
use crate::{environment, exit, exited, signals};

/// Makes the call that `spec` describes, and returns the exit code.
pub(crate) fn call(
    spec: &Spec,
    arguments: &[Argument],
    entry: &'static TaskEntry,
    dir: JobDir,
    writer: &Arc<Writer>,
) -> u8 {
    let stop = StopFlag::default();
    let requeueing = Arc::new(Requeueing::new(spec.requeue.clone(), dir.clone(), stop.clone()));
    let at_timeout = (Arc::clone(&requeueing), Arc::clone(writer));
    signals::watch(&stop, move |ago| {
        at_timeout.0.requeue_in_time(ago, Some((Arc::clone(&at_timeout.1), entry)));
    });
    // From here on the panic is noted, even if the process is killed.
    let note = |writer: &Writer, failure: &Failure| {
        writer.append(&Event::now(EventKind::Panicked {
            message: failure.message.clone(),
            location: failure.location.as_deref().map(str::to_owned),
        }));
    };
    let panics = PanicLog::default();
    let on_abort = (Arc::clone(writer), Arc::clone(writer));
    panics.install(
        move |failure| note(&on_abort.0, failure),
        move |failure| {
            // The process is dying, so an outcome that cannot be written is lost.
            let _ = on_abort.1.write(Some(entry), Ending::Failure(Box::new(failure)));
        },
    );
    let context = environment::context(spec, dir, stop);
    writer.append(&Event::now(EventKind::Started {
        job_id: context.job_id(),
        restart_count: context.restart_count(),
        host: environment::host(),
        pid: std::process::id(),
        is_one_of_several: environment::is_one_of_several(),
        stdout: environment::file_behind(1),
        stderr: environment::file_behind(2),
    }));

    let resolver = Resolver::new(&spec.upstream);
    let ending = resolver.resolve(arguments).and_then(|owned| {
        let slices: Vec<&[u8]> = owned.iter().map(AsRef::as_ref).collect();
        writer.enter();
        environment::mark_entered();
        let at_exit = Arc::clone(writer);
        exited::watch(move || {
            // The process is ending, so a note that cannot be written is lost.
            let _ = at_exit.write(Some(entry), Ending::Failure(Box::new(exited::failure())));
        });
        catch_unwind(AssertUnwindSafe(|| (entry.run)(&context, Arguments::new(&slices))))
            .unwrap_or_else(|payload| {
                Err(panics.failure(payload.as_ref(), |failure| note(writer, failure)))
            })
    });
    exited::is_over();
    requeueing.decide();
    let ending = match ending {
        Err(failure) if failure.kind == FailureKind::Requeue => {
            match requeueing.ask(&failure.message) {
                Ok(code) => return code,
                Err(refusal) => Err(refusal),
            }
        }
        ending => ending,
    };
    let code = if ending.is_ok() { exit::DONE } else { exit::FAILED };
    // The outcome is written before any message, so that a log that cannot be written does not affect it.
    let mut to_tell = None;
    let ending = match ending {
        Ok(value) => Ending::Value(value),
        Err(failure) => {
            // The hook has already printed a panic.
            to_tell = (failure.kind != FailureKind::Panic).then(|| failure.clone());
            Ending::Failure(Box::new(failure))
        }
    };
    // All processes share one outcome: the value of the first process, or the failure of any.
    if context.rank() != 0 && code == exit::DONE {
        return code;
    }
    let code = match writer.write(Some(entry), ending) {
        Ok(()) => {
            writer.append(&Event::now(EventKind::Finished { exit_code: code }));
            code
        }
        Err((failure, code)) => {
            tell(&failure);
            code
        }
    };
    if let Some(failure) = to_tell {
        tell(&failure);
    }
    code
}
