#[slurm::task]
fn train(seed: u64) -> u64
where
    u64: Copy,
{
    seed
}

fn main() {}
