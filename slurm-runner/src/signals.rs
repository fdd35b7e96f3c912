//! Signals that ask the job to stop.

use std::io;
use std::thread;

use signal_hook::consts::{SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use slurm_core::context::StopFlag;

/// Sets `stop` on SIGTERM, SIGUSR1 and SIGUSR2, and calls `warned` after the latter two.
///
/// SIGTERM still ends the process unless the task has shown that it watches the flag; SIGUSR1 and
/// SIGUSR2, the usual warning signals of `--signal`, would end it by default and do not.
pub(crate) fn install(stop: StopFlag, warned: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGUSR1, SIGUSR2])?;
    thread::Builder::new().name("slurm-signals".to_owned()).spawn(move || {
        for signal in &mut signals {
            if signal != SIGTERM {
                stop.request();
                warned();
                continue;
            }
            stop.request_at_last();
            if !stop.is_watched() {
                // Ends the process as if there were no handler, so that Slurm sees a death by signal.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    })?;
    Ok(())
}
