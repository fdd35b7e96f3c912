#[slurm::task(slurm::time = "10:00")]
fn train() {}

fn main() {}
