#[slurm::task(tiem = "10:00", partitoin = "gpu", colour = "blue")]
fn train() {}

fn main() {}
