//! Tests of jobs from submission to result, on the embedded backend and on a real Slurm.
//!
//! This is a program and not a set of `#[test]` functions because it runs its own tasks: a job runs the program
//! that submits it. Tests named `slurm::…` and `ssh::…` need the cluster that `tests/cluster/up` starts;
//! without it they are ignored, with a message. tests/README.md lists the files.

#[macro_use]
#[path = "../support/program.rs"]
mod program;

mod support;

mod arrays;
mod basics;
mod embedded;
mod retries;
mod security;
mod slurm;
mod ssh;
mod workflows;

use support::{common, logger, places, proxy, roles, sshd, tasks};

fn main() {
    // Jobs, and programs in the role of a user's program, have no logger.
    let is_job = std::env::args().nth(1).is_some_and(|first| first == "__slurm");
    if !is_job && !roles::is_user() {
        logger::install();
    }
    roles::play_without_init();
    if roles::is_user() && !is_job {
        roles::play_user();
    }
    ::slurm::init().expect("the tasks of this program are sound");
    roles::play();
    if common::cluster_is_missing() {
        eprintln!(
            "no cluster is up, so tests named `slurm::…` and `ssh::…` are ignored: eval \"$(tests/cluster/up)\""
        );
    }
    program::run(places::list());
}
