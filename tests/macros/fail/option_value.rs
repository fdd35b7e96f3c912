#[slurm::task(mem = "4 G", time = "1-", cpus_per_task = 0, partition = "gpu")]
fn train() {}

fn main() {}
