#[slurm::task(name)]
fn train() {}

fn main() {}
