#[slurm::main]
fn main(_cluster: slurm::Cluster, _other: u8, _third: u8) {}
