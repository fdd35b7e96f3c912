#[slurm::task(crate)]
fn train() {}

fn main() {}
