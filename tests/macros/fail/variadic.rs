#[slurm::task]
unsafe extern "C" fn train(count: u64, _: ...) {
    let _ = count;
}

fn main() {}
