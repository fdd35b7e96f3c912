//! Random workloads under random faults, judged by a ledger of what really ran.
//!
//! The program submits tasks of its own binary: the referee, the clients that it kills, and the runners
//! inside the jobs are all this program.

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
mod ssh;
mod tasks;

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    slurm::init()?;
    if client::play()? {
        return Ok(ExitCode::SUCCESS);
    }
    referee::main()
}
