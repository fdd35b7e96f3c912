#[slurm::task(setup = "module load cuda")]
fn train() {}

fn main() {}
