#[slurm::task("time" = "10:00", 8, = "x")]
fn train() {}

fn main() {}
