const LIMIT: &str = "4 h";
const HALF: f64 = 0.5;

#[slurm::task(time = LIMIT)]
fn train() {}

#[slurm::task(cpus_per_task = HALF)]
fn test() {}

fn main() {}
