#[slurm::task(env = { A: "1" })]
fn train() {}

fn main() {}
