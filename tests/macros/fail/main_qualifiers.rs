#[slurm::main]
unsafe extern "C" fn main() {}
