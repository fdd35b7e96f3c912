#[slurm::task(time = "1:00", mem = "1G", time = "2:00", ntasks_per_node = 1, tasks_per_node = 2)]
fn train() {}

fn main() {}
