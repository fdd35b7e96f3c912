#[slurm::task(exclusive = 7, requeue = "yes", hold = "x")]
fn train() {}

fn main() {}
