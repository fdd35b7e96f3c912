//! The forms of workflows.

#![deny(warnings)]

use slurm::{Job, Workflow};

#[slurm::task]
fn square(n: u32) -> u32 {
    n * n
}

/// Adds up squares.
#[slurm::workflow(time = "10:00", on_timeout = "fail")]
pub fn sum(flow: &Workflow, numbers: &[u32]) -> slurm::Result<u32> {
    let jobs: Vec<Job<u32>> =
        numbers.iter().map(|n| square::job(*n).submit(flow)).collect::<slurm::Result<_>>()?;
    jobs.iter().map(Job::result).sum()
}

#[slurm::workflow]
fn without_result(flow: &slurm::Workflow) {
    let _ = (flow.context().restart_count(), flow.cluster().job_base_dir());
}

mod facade {
    pub use slurm::*;
}

#[facade::workflow(crate = crate::facade, name = "renamed")]
fn nested(flow: &facade::Workflow, again: bool) -> anyhow::Result<u32> {
    let inner = sum::job(&[1, 2]).submit(flow)?;
    if again { Err(slurm::Requeue::new())? }
    Ok(inner.result()?)
}

fn main() {
    let _ = sum::job(&[1, 2, 3]).max_requeues(3).on_timeout(slurm::OnTimeout::Requeue);
    let _ = without_result::job();
    let _ = nested::job(true);
}
