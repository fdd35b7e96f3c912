#[slurm::task]
mod train {}

fn main() {}
