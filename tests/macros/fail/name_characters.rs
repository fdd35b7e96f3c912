#[slurm::task(name = "a b/c")]
fn train() {}

fn main() {}
