#[slurm::task(tiem = "10:00", mem = "4 G", nodes =, name = 7, cpus_per_task 8)]
fn train() {}

fn main() {}
