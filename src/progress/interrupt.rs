//! Output on Ctrl-C.
//!
//! If a program under `#[slurm::main]` is interrupted while it waits, this module prints which jobs keep
//! running and how to find them again, and then lets SIGINT end the process. A submission that has begun is
//! finished first, because a job without its directory, or a directory without its job, is useless.
//!
//! A program that handles SIGINT itself, or ignores it, keeps doing so: the handler is installed when the program
//! first submits or waits, and only where the signal still has its default action. A program that wants to
//! handle it has to install its handler before that. Afterwards the signal stays with this module, because the
//! default action cannot be restored without `unsafe`: a signal outside of any wait ends the process at once, as the
//! default does.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::About;

/// Whether the program allows signal handling.
static ALLOWED: AtomicBool = AtomicBool::new(false);

static SUBMISSIONS: Mutex<Submissions> = Mutex::new(Submissions { open: 0, interrupted: false });

#[derive(Debug)]
struct Submissions {
    /// The number of submissions that have begun and not finished.
    open: usize,
    /// Whether the process has to end after them.
    interrupted: bool,
}

/// Allows messages and signal handling, because the program's main function is under `#[slurm::main]`.
pub(crate) fn allow() {
    ALLOWED.store(true, Ordering::Relaxed);
}

/// Handles SIGINT from now on, if the program allows it.
pub(crate) fn listen() {
    static ONCE: Once = Once::new();
    if ALLOWED.load(Ordering::Relaxed) {
        ONCE.call_once(|| {
            if has_default_action()
                && let Ok(mut signals) = Signals::new([SIGINT])
            {
                let listen = move || signals.forever().for_each(|_| interrupted());
                // If the thread cannot start, nothing handles the signal although the default action is gone.
                if thread::Builder::new().name("slurm-sigint".to_owned()).spawn(listen).is_err() {
                    log::warn!("the thread that handles SIGINT could not be started");
                }
            }
        });
    }
}

/// Returns whether SIGINT is neither handled nor ignored, as far as the system reports it.
fn has_default_action() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    let mask = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        u64::from_str_radix(line.trim(), 16).ok()
    };
    let bit = 1_u64 << (SIGINT - 1);
    [mask("SigCgt:"), mask("SigIgn:")].iter().all(|mask| mask.is_some_and(|mask| mask & bit == 0))
}

fn submissions() -> MutexGuard<'static, Submissions> {
    SUBMISSIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Delays an interruption for as long as it exists.
#[derive(Debug)]
pub(crate) struct Submitting(Vec<About>);

impl Submitting {
    pub(crate) fn begin() -> Self {
        listen();
        submissions().open += 1;
        Self(Vec::new())
    }

    /// Records a submission, which is named if the process is interrupted.
    pub(crate) fn submitted(&mut self, about: impl FnOnce() -> About) {
        if submissions().interrupted {
            self.0.push(about());
        }
    }
}

impl Drop for Submitting {
    fn drop(&mut self) {
        let mut submissions = submissions();
        submissions.open -= 1;
        if submissions.interrupted && submissions.open == 0 {
            drop(submissions);
            end(std::mem::take(&mut self.0));
        }
    }
}

fn interrupted() {
    let mut submissions = submissions();
    let is_first = !std::mem::replace(&mut submissions.interrupted, true);
    if submissions.open > 0 && is_first {
        say(
            "a submission has begun; the program ends after it (press Ctrl-C again to end it at once)",
        );
        return;
    }
    drop(submissions);
    end(Vec::new());
}

/// Prints which jobs keep running, and ends the process.
fn end(submitted: Vec<About>) {
    /// Above this many, only the number of the rest is shown.
    const NAMED: usize = 5;

    let mut all: Vec<About> =
        super::interrupted().iter().map(|about| About::clone(about)).collect();
    all.extend(submitted);
    all.dedup();
    if !all.is_empty() {
        say("");
    }
    for about in all.iter().take(NAMED) {
        say(&format!("{about}: {}", about.keeps_running()));
    }
    if all.len() > NAMED {
        say(&format!("and {} more", all.len() - NAMED));
    }
    // This never returns for a signal whose default is to end the process.
    let _ = emulate_default_handler(SIGINT);
}

fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
