//! One task and one job, without any feature of slurm-sdk.

use slurm::Cluster;

/// Adds two numbers.
#[slurm::task(time = "00:05:00")]
fn add(a: i64, b: i64) -> i64 {
    // Longer than it takes until a wait shows its progress.
    std::thread::sleep(std::time::Duration::from_secs(5));
    a + b
}

#[slurm::main]
fn main(cluster: Cluster) -> slurm::Result<()> {
    println!("{}", add::job(20, 22).submit(&cluster)?.result()?);
    Ok(())
}
