#[slurm::task(array = "0-7")]
fn train() {}

fn main() {}
