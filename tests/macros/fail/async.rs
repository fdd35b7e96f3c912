#[slurm::task]
async fn train(seed: u64) -> u64 {
    seed
}

fn main() {
    let _ = train::job(7);
}
