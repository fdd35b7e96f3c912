//! Pi by Monte Carlo: several jobs at once, and jobs that combine their results.
//!
//! ```sh
//! cargo run --release --example monte_carlo
//! cargo run --release --example monte_carlo -- --backend slurm
//! ```

use std::collections::VecDeque;

use slurm::{Cluster, Job};

/// Counts how many of `samples` random points of the unit square lie in the quarter circle.
#[slurm::task(time = "00:10:00", mem = "100M", cpus_per_task = 1)]
fn count_hits(seed: u64, samples: u64) -> u64 {
    // xorshift64*: quick, and random enough for this.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    };
    (0..samples).filter(|_| uniform().powi(2) + uniform().powi(2) < 1.0).count() as u64
}

/// Runs after the two jobs whose results it takes.
#[slurm::task(time = "00:05:00", mem = "100M")]
fn combine(left: u64, right: u64) -> u64 {
    left + right
}

#[slurm::main]
fn main(cluster: Cluster) -> slurm::Result<()> {
    const JOBS: u64 = 8;
    const SAMPLES: u64 = 4_000_000;

    let mut jobs = (1..=JOBS)
        .map(|seed| count_hits::job(seed, SAMPLES).submit(&cluster))
        .collect::<slurm::Result<VecDeque<Job<u64>>>>()?;
    println!("{JOBS} jobs of {SAMPLES} samples each, on the {} backend", cluster.backend_kind());

    // More jobs add up the results in pairs. A `&Job<u64>` is allowed as an argument of type `u64`.
    while jobs.len() > 1 {
        let (Some(left), Some(right)) = (jobs.pop_front(), jobs.pop_front()) else { break };
        jobs.push_back(combine::job(&left, &right).submit(&cluster)?);
    }
    let hits: u64 = jobs.iter().map(Job::result).sum::<slurm::Result<u64>>()?;
    println!("pi is about {:.4}", 4.0 * hits as f64 / (JOBS * SAMPLES) as f64);
    Ok(())
}
