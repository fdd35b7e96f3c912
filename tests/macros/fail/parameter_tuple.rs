#[slurm::task]
fn train((a, b): (u64, u64)) -> u64 {
    a + b
}

fn main() {}
