//! Daemons of the test cluster, which root has to stop and start: `tests/faults/run` keeps a shell for that, which
//! takes a request from a directory.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::plan::Stop;

/// The variable with the directory of requests.
pub(crate) const KEEPER: &str = "SLURM_SDK_TEST_KEEPER";

/// Stops a daemon, and returns once it runs again.
pub(crate) fn stop(name: &str, how: Stop, ms: u64) {
    let Some(dir) = std::env::var_os(KEEPER).map(PathBuf::from) else {
        panic!("{KEEPER} is not set: start this suite by tests/faults/run")
    };
    let signal = match how {
        Stop::Term => "TERM",
        Stop::Kill => "KILL",
        Stop::Freeze => "STOP",
    };
    let request = dir.join(format!("{}.request", crate::ledger::now()));
    let seconds = Duration::from_millis(ms).as_secs_f64();
    fs::write(request.with_extension("new"), format!("{name} {signal} {seconds}\n")).unwrap();
    fs::rename(request.with_extension("new"), &request).unwrap();
    // The keeper removes it when all is well again.
    while request.exists() {
        std::thread::sleep(Duration::from_millis(50));
    }
}
