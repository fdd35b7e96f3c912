//! A million calls in one submission.
//!
//! `cargo run --release --example million`, with `-- --backend slurm` on a cluster, and with
//! `--calls 1000` for fewer.

use std::time::Instant;

use clap::Parser;
use slurm::ClusterArgs;

/// Returns the number of steps from `n` to 1, where an even number is halved and an odd one tripled and
/// increased by one.
#[slurm::task(time = "00:10:00", mem = "200M")]
fn collatz(n: u64) -> u32 {
    let (mut n, mut steps) = (n, 0);
    while n > 1 {
        n = if n % 2 == 0 { n / 2 } else { 3 * n + 1 };
        steps += 1;
    }
    steps
}

#[derive(Parser)]
struct Arguments {
    /// How many calls to make.
    #[arg(long, default_value_t = 1_000_000)]
    calls: u64,
    #[command(flatten)]
    cluster: ClusterArgs,
}

fn main() -> slurm::Result<()> {
    slurm::init()?;
    let arguments = Arguments::parse();
    let cluster = arguments.cluster.open()?;
    let began = Instant::now();
    let array = collatz::map(1..=arguments.calls).chunk_auto().submit(&cluster)?;
    let submitted = began.elapsed();
    let steps = array.results()?;
    let longest = (1_u64..).zip(&steps).max_by_key(|(_, steps)| **steps);
    if let Some((n, steps)) = longest {
        println!("of {} numbers, {n} takes the most steps: {steps}", arguments.calls);
    }
    println!(
        "submitted in {:.2} s, all results after {:.2} s",
        submitted.as_secs_f64(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}
