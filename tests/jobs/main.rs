//! Jobs from submission to result, on the embedded backend and on a real Slurm.
//!
//! This is a program and not a set of `#[test]` functions because it runs its own tasks: the binary
//! that submits is the one that the job runs. Tests named `slurm::…` and `ssh::…` need the cluster that
//! `tests/cluster/up` starts; without it they are ignored, and say so.

mod array_cuts;
mod arrays;
mod attempts;
mod callbacks;
mod common;
mod costs;
mod cuts;
mod faults;
mod forgotten;
mod graph;
mod items;
mod known;
mod local;
mod logger;
mod logging;
mod logins;
mod logs;
mod on_slurm;
mod options;
mod other_users;
mod over_ssh;
mod parts;
mod progress;
mod proxy;
mod requests;
mod requeue;
mod retries;
mod roles;
mod script;
mod secrecy;
mod security;
mod shared;
mod sshd;
mod stacks;
mod staging;
mod submission;
mod survival;
mod take_over;
mod tasks;
mod waiting;
mod warnings;
mod words;
mod workflow;
mod workflow_arrays;

use libtest_mimic::Arguments;

fn main() {
    // Jobs and programs as users have them have no logger.
    let is_job = std::env::args().nth(1).is_some_and(|first| first == "__slurm");
    if !is_job && !roles::is_user() {
        logger::install();
    }
    roles::play_without_init();
    if roles::is_user() && !is_job {
        roles::play_user();
    }
    slurm::init().expect("the tasks of this program are sound");
    roles::play();
    let mut trials = Vec::new();
    trials.extend(shared::trials());
    trials.extend(script::trials());
    trials.extend(arrays::trials());
    trials.extend(retries::trials());
    trials.extend(items::trials());
    trials.extend(known::trials());
    trials.extend(faults::trials());
    trials.extend(local::trials());
    trials.extend(logs::trials());
    trials.extend(logging::trials());
    trials.extend(take_over::trials());
    trials.extend(stacks::trials());
    trials.extend(on_slurm::trials());
    trials.extend(submission::trials());
    trials.extend(forgotten::trials());
    trials.extend(security::trials());
    trials.extend(words::trials());
    trials.extend(secrecy::trials());
    trials.extend(other_users::trials());
    trials.extend(callbacks::trials());
    trials.extend(over_ssh::trials());
    trials.extend(attempts::trials());
    trials.extend(cuts::trials());
    trials.extend(logins::trials());
    trials.extend(options::trials());
    trials.extend(array_cuts::trials());
    trials.extend(costs::trials());
    trials.extend(parts::trials());
    trials.extend(requests::trials());
    trials.extend(requeue::trials());
    trials.extend(workflow::trials());
    trials.extend(workflow_arrays::trials());
    trials.extend(staging::trials());
    trials.extend(survival::trials());
    trials.extend(graph::trials());
    trials.extend(progress::trials());
    trials.extend(waiting::trials());
    trials.extend(warnings::trials());
    if common::cluster_is_missing() {
        eprintln!(
            "no cluster is up, so tests named `slurm::…` and `ssh::…` are ignored: eval \"$(tests/cluster/up)\""
        );
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
