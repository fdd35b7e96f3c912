#[slurm::main]
struct Main;

fn main() {}
