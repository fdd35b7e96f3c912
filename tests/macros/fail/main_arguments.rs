#[slurm::main(time = "10:00", crate = ::slurm)]
fn main(cluster: slurm::Cluster) {
    let _ = cluster;
}
