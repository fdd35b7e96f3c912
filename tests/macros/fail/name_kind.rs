#[slurm::task(name = 7)]
fn train() {}

fn main() {}
