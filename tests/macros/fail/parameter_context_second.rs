#[slurm::task]
fn train(seed: u64, context: &slurm::JobContext) -> u64 {
    let _ = context;
    seed
}

fn main() {}
