//! What is kept of a panic.

use std::any::Any;
use std::backtrace::Backtrace;
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use slurm_core::outcome::{Failure, FailureKind};

/// Where panics are noted by the hook, to be looked up when one has reached the runner.
#[derive(Clone, Debug, Default)]
pub(crate) struct PanicLog(Arc<Mutex<Vec<(ThreadId, Failure)>>>);

/// A task may catch panics in a loop; only the latest can be the one that gets through.
const KEPT: usize = 16;

impl PanicLog {
    /// Makes every panic be noted, after the hook that was there has printed it.
    ///
    /// Where panics abort, nothing runs after the hook, so `on_abort` is called with the failure then.
    pub(crate) fn install(&self, on_abort: impl Fn(Failure) + Send + Sync + 'static) {
        let log = self.clone();
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            previous(info);
            let failure = describe(info);
            if cfg!(panic = "abort") {
                on_abort(failure);
            } else {
                log.note(failure);
            }
        }));
    }

    fn note(&self, failure: Failure) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.remove(0);
        }
        entries.push((thread::current().id(), failure));
    }

    /// Returns the failure for a panic that reached the current thread's `catch_unwind`.
    ///
    /// A payload that came over from another thread was noted there.
    pub(crate) fn failure(&self, payload: &(dyn Any + Send)) -> Failure {
        let message = message_of(payload);
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = thread::current().id();
        let noted = entries.iter().rev().find(|(_, failure)| failure.message == message);
        let noted = noted.or_else(|| entries.iter().rev().find(|(thread, _)| *thread == here));
        match noted {
            Some((_, failure)) => Failure { message, ..failure.clone() },
            None => Failure::new(FailureKind::Panic, message),
        }
    }
}

fn describe(info: &PanicHookInfo<'_>) -> Failure {
    let mut failure = Failure::new(FailureKind::Panic, message_of(info.payload()));
    failure.location = info.location().map(|location| location.to_string().into());
    failure.backtrace = Some(Backtrace::force_capture().to_string().into());
    failure
}

fn message_of(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a message".to_owned()
    }
}
