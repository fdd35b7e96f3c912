//! Signals that ask the job to stop.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use slurm_core::context::StopFlag;
use slurm_core::outcome::{Failure, FailureKind};

use crate::tell::tell;
use crate::warning::{self, Missed};

/// Sets `stop` when a signal asks the job to stop. Calls `warned` after a warning signal, with the time since
/// the warning.
pub(crate) fn watch(stop: &StopFlag, warned: impl Fn(Duration) + Send + Sync + 'static) {
    if let Err(error) = install(stop.clone(), warned) {
        tell(&Failure::new(FailureKind::Error, format!("signals cannot be handled: {error}")));
    }
}

/// Sets `stop` on SIGTERM, SIGUSR1 and SIGUSR2. Calls `warned` after SIGUSR1 and SIGUSR2, with the time since
/// the warning. A warning that came before this process had a handler counts too. A warning that may have been
/// lost counts when it is due.
///
/// SIGTERM still ends the process, unless the task has shown that it watches the flag. SIGUSR1 and SIGUSR2, the
/// usual warning signals of `--signal`, no longer end it.
fn install(stop: StopFlag, warned: impl Fn(Duration) + Send + Sync + 'static) -> io::Result<()> {
    let warned = Arc::new(warned);
    let mut signals = Signals::new([SIGTERM, SIGUSR1, SIGUSR2])?;
    match warning::missed() {
        None => {}
        Some(Missed::Ago(ago)) => {
            stop.request();
            warned(ago);
        }
        Some(Missed::In(left)) => {
            let (stop, warned) = (stop.clone(), Arc::clone(&warned));
            thread::Builder::new().name("slurm-warning".to_owned()).spawn(move || {
                thread::sleep(left);
                stop.request();
                warned(Duration::ZERO);
            })?;
        }
    }
    thread::Builder::new().name("slurm-signals".to_owned()).spawn(move || {
        for signal in &mut signals {
            if signal != SIGTERM {
                stop.request();
                warned(Duration::ZERO);
                continue;
            }
            stop.request_at_last();
            if !stop.is_watched() {
                // Ends the process as without a handler, so that Slurm sees a death by signal.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    })?;
    Ok(())
}
