#[slurm::main]
async fn main() {}
