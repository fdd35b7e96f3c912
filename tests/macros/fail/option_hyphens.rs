#[slurm::task(cpus-per-task = 8, --time = "1:00", --colour = "blue")]
fn train() {}

fn main() {}
