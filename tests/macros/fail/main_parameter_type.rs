#[slurm::main]
fn main(cluster: u64) {
    let _ = cluster;
}
