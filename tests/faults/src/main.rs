//! Random workloads under random faults, judged by a ledger of the runs.
//!
//! The program submits tasks of its own binary. The referee, the clients that it kills, and the runners inside
//! the jobs are all this program.

mod client;
mod clients;
mod commands;
mod daemons;
mod inject;
mod judge;
mod ledger;
mod plan;
mod processes;
#[path = "../../jobs/support/proxy.rs"]
#[allow(dead_code, reason = "the tests of SSH need more of it")]
mod proxy;
mod referee;
mod round;
mod shared_fs;
mod ssh;
mod summary;
mod tasks;

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    slurm::init()?;
    if let [_, command, dir] = &std::env::args_os().collect::<Vec<_>>()[..]
        && command == "serve-shared-fs"
    {
        shared_fs::serve(dir.as_ref())?;
        return Ok(ExitCode::SUCCESS);
    }
    if client::play()? {
        return Ok(ExitCode::SUCCESS);
    }
    referee::main()
}
