#[slurm::task]
extern "C" fn train() {}

fn main() {}
