#[slurm::task(env = { A = "1", A = "2", größe = "3" })]
fn train() {}

fn main() {}
