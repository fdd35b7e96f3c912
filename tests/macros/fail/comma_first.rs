#[slurm::task(, time = "10:00")]
fn train() {}

fn main() {}
