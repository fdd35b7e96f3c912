#[slurm::main]
fn main() -> u64 {
    7
}
