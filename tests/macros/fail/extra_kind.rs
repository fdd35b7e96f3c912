#[slurm::task(extra = "--flag")]
fn train() {}

fn main() {}
