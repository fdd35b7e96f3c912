#[slurm::task]
unsafe fn train() {}

fn main() {}
