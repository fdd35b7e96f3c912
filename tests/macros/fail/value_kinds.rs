#[slurm::task(mem = 1.5, time = 'a', partition = b"gpu", nodes = 2u32, ntasks = 1 + 2, comment = concat!("a", "b"), qos = {1}, mem_per_cpu = 4G)]
fn train() {}

fn main() {}
