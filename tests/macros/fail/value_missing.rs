#[slurm::task(time =, mem = "4G")]
fn train() {}

fn main() {}
