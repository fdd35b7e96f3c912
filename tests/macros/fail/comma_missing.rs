#[slurm::task(time = "10:00" mem = "4G", exclusive requeue, , nodes = 1)]
fn train() {}

fn main() {}
