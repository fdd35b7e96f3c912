#[slurm::task(time("10:00"), mem: "4G", partition == "gpu")]
fn train() {}

fn main() {}
