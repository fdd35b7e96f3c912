#[slurm::main]
fn main(cluster: &slurm::Cluster) {
    let _ = cluster;
}
