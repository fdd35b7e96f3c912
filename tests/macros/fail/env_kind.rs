#[slurm::task(env = ["THREADS=8"])]
fn train() {}

fn main() {}
