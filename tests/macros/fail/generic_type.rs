#[slurm::task]
fn train<T>(value: T, seed: u64) -> T {
    let _ = seed;
    value
}

fn main() {
    let _ = train::job(1, 2);
    let _ = train(1, 2);
}
