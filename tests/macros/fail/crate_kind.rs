#[slurm::task(crate = "slurm")]
fn train() {}

fn main() {}
