use slurm::{JobContext, Workflow};

#[slurm::workflow]
fn without() {}

#[slurm::workflow]
fn with_context(_ctx: &JobContext, _flow: &Workflow) {}

#[slurm::workflow]
fn by_value(_flow: Workflow) {}

#[slurm::task]
fn task(_flow: &Workflow) {}

#[slurm::task]
fn second(_x: u8, _flow: &mut Workflow) {}

fn main() {}
