#[slurm::task(mem_per_cpu = "1G", time = "1:00", mem = "4G")]
fn train() {}

fn main() {}
