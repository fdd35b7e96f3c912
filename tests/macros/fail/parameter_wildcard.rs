#[slurm::task]
fn train(_: u64) {}

fn main() {}
