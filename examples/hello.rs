//! The smallest whole program: one task, one job, one typed result.
//!
//! ```sh
//! cargo run --example hello                       # embedded backend, no Slurm needed
//! cargo run --example hello -- --backend slurm    # the Slurm of this host
//! ```

use slurm::Cluster;

/// Adds two numbers in a job.
#[slurm::task(time = "00:05:00", mem = "100M")]
fn add(a: i64, b: i64) -> i64 {
    a + b
}

#[slurm::main]
fn main(cluster: Cluster) -> slurm::Result<()> {
    let job = add::job(20, 22).submit(&cluster)?;
    println!("add(20, 22) = {}", job.result()?);
    println!("job {} ran on {}", job.id(), job.report()?.node);
    Ok(())
}
