#[slurm::task]
fn train(seed: u64, text: &str) -> u64 {
    seed + text.len() as u64
}

#[slurm::task]
fn square(n: u64) -> u64 {
    n * n
}

fn main() {
    let _ = square::map(["7", "8"]);
    let _ = train::map([1_u64, 2]);
    let _ = train::map([(1_u64, 2_u64)]);
}
