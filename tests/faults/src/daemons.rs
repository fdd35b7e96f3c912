//! The daemons of the test cluster. Only root can stop and start them, so `tests/faults/run` keeps a shell of
//! root that reads requests from a directory.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::plan::Stop;

/// The variable that has the directory of requests.
pub(crate) const KEEPER: &str = "SLURM_SDK_TEST_KEEPER";

/// Stops a daemon. Returns when it runs again.
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
    // The keeper removes the request when the daemon runs again.
    while request.exists() {
        std::thread::sleep(Duration::from_millis(50));
    }
}
