#[slurm::main]
fn main<T>(_cluster: slurm::Cluster)
where
    T: Copy,
{
}
