#[slurm::task(time, mem = true)]
fn train() {}

fn main() {}
