#[slurm::task]
struct Train;

fn main() {}
