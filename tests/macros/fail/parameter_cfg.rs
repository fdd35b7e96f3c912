#[slurm::task]
fn train(#[cfg(unix)] seed: u64) -> u64 {
    seed
}

fn main() {}
