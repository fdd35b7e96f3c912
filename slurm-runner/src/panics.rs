//! The record of a panic.
//!
//! Resolving the function names of a stack takes tens of megabytes, and more with much debug information. A job
//! may not have that much left, and would then end as out of memory instead of with its panic. So the hook only
//! takes the addresses, and the failure is noted on disk. The names are resolved afterwards, if there is enough
//! memory.

use std::any::Any;
use std::backtrace::Backtrace;
use std::fs;
use std::panic::{self, PanicHookInfo};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use slurm_core::outcome::{Failure, FailureKind};

use crate::{memory, tell};

/// The panics that the hook has noted, for the panic that reaches the runner.
#[derive(Clone, Debug, Default)]
pub(crate) struct PanicLog(Arc<Mutex<Vec<Noted>>>);

#[derive(Clone, Debug)]
struct Noted {
    thread: ThreadId,
    failure: Failure,
    stack: Arc<Backtrace>,
}

/// The number of panics that are kept. A task may catch panics in a loop, and only one of the latest can reach
/// the runner.
const KEPT: usize = 16;

/// The memory that resolving names takes in a small program.
const LEAST_ROOM: u64 = 64 << 20;

impl PanicLog {
    /// Installs a hook that prints and notes every panic. It does not call the previous hook, because the default one
    /// resolves the stack before anything is written.
    ///
    /// If panics abort, nothing runs after the hook. So the hook itself calls `first` with the failure before
    /// its stack is resolved, and `last` with the complete failure.
    pub(crate) fn install(
        &self,
        first: impl Fn(&Failure) + Send + Sync + 'static,
        last: impl Fn(Failure) + Send + Sync + 'static,
    ) {
        let log = self.clone();
        panic::set_hook(Box::new(move |info| {
            let (failure, stack) = describe(info);
            if cfg!(panic = "abort") {
                first(&failure);
                tell_of(&failure);
                let stack = named(&stack);
                let _ = stack.as_deref().map(tell_stack);
                last(Failure { backtrace: stack.map(String::into_boxed_str), ..failure });
            } else {
                tell_of(&failure);
                log.note(Noted { thread: thread::current().id(), failure, stack });
            }
        }));
    }

    fn note(&self, noted: Noted) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == KEPT {
            entries.remove(0);
        }
        entries.push(noted);
    }

    /// Returns the failure for a panic that reached the current thread's `catch_unwind`. `first` is called with
    /// the failure before its stack is resolved.
    ///
    /// The payload may come from another thread, where the panic was noted.
    pub(crate) fn failure(
        &self,
        payload: &(dyn Any + Send),
        first: impl FnOnce(&Failure),
    ) -> Failure {
        let message = message_of(payload);
        let noted = self.find(&message);
        let stack = noted.as_ref().map(|noted| Arc::clone(&noted.stack));
        let mut failure = match noted {
            Some(Noted { failure, .. }) => Failure { message, ..failure },
            None => Failure::new(FailureKind::Panic, message),
        };
        first(&failure);
        if let Some(stack) = stack.as_deref().and_then(named) {
            tell_stack(&stack);
            failure.backtrace = Some(stack.into());
        }
        failure
    }

    fn find(&self, message: &str) -> Option<Noted> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let here = thread::current().id();
        let noted = entries.iter().rev().find(|noted| noted.failure.message == message);
        noted.or_else(|| entries.iter().rev().find(|noted| noted.thread == here)).cloned()
    }
}

fn describe(info: &PanicHookInfo<'_>) -> (Failure, Arc<Backtrace>) {
    let mut failure = Failure::new(FailureKind::Panic, message_of(info.payload()));
    failure.location = info.location().map(|location| location.to_string().into());
    // Takes only the addresses; they are resolved when the stack is printed.
    (failure, Arc::new(Backtrace::force_capture()))
}

/// Prints a panic as the default hook does.
fn tell_of(failure: &Failure) {
    let thread = thread::current();
    let (name, message) = (thread.name().unwrap_or("<unnamed>"), &failure.message);
    let place = failure.location.as_deref().unwrap_or("an unknown place");
    tell::line(&format!("\nthread '{name}' panicked at {place}:\n{message}\n"));
}

/// Prints a stack if `RUST_BACKTRACE` asks for that.
fn tell_stack(stack: &str) {
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
        tell::line(&format!("stack backtrace:\n{stack}"));
    }
}

/// Returns a stack with the names of its functions, or `None` if there may not be enough memory to resolve
/// them.
fn named(stack: &Backtrace) -> Option<String> {
    let program = fs::metadata("/proc/self/exe").map_or(0, |metadata| metadata.len());
    let room = LEAST_ROOM.saturating_add(program.saturating_mul(2));
    match memory::left() {
        Some(left) if left < room => {
            tell::tell(&format_args!(
                "the stack of the panic is not shown: {} MiB of memory are left, and resolving its names may take {} MiB",
                left >> 20,
                room >> 20
            ));
            None
        }
        _ => Some(stack.to_string()),
    }
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
