//! Typed edges: a job takes the results of others, and runs after them.
//!
//! ```sh
//! cargo run --example pipeline
//! cargo run --example pipeline -- --backend slurm
//! ```

use serde::{Deserialize, Serialize};
use slurm::Cluster;

/// Points on a line with some noise.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Points(Vec<(f64, f64)>);

/// `y = slope * x + offset`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Line {
    slope: f64,
    offset: f64,
}

#[slurm::task(time = "00:05:00", mem = "100M")]
fn generate(count: u32) -> Points {
    let noise = |n: u32| f64::from(n.wrapping_mul(2_654_435_761) % 1000) / 1000.0 - 0.5;
    Points((0..count).map(|n| (f64::from(n), 2.0 * f64::from(n) + 1.0 + noise(n))).collect())
}

/// Fits a line by least squares.
#[slurm::task(time = "00:05:00", mem = "100M")]
fn fit(points: &Points) -> anyhow::Result<Line> {
    let n = points.0.len() as f64;
    anyhow::ensure!(n >= 2.0, "{n} points do not make a line");
    let sum = |value: fn(&(f64, f64)) -> f64| points.0.iter().map(value).sum::<f64>();
    let (x, y) = (sum(|p| p.0), sum(|p| p.1));
    let slope = (n * sum(|p| p.0 * p.1) - x * y) / (n * sum(|p| p.0 * p.0) - x * x);
    Ok(Line { slope, offset: (y - slope * x) / n })
}

/// Returns the mean distance of the points from the line.
#[slurm::task(time = "00:05:00", mem = "100M")]
fn error(points: &Points, line: Line) -> f64 {
    let distance = |(x, y): &(f64, f64)| (line.slope * x + line.offset - y).abs();
    points.0.iter().map(distance).sum::<f64>() / points.0.len() as f64
}

#[slurm::main]
fn main(cluster: Cluster) -> slurm::Result<()> {
    // All three jobs are submitted at once. A `&Job<Points>` is allowed as an argument of type `Points`; a job
    // with another result type does not compile.
    let points = generate::job(1000_u32).submit(&cluster)?;
    let line = fit::job(&points).submit(&cluster)?;
    let error = error::job(&points, &line).submit(&cluster)?;

    let Line { slope, offset } = line.result()?;
    println!("y = {slope:.3} x + {offset:.3}, with a mean error of {:.3}", error.result()?);

    // If a job fails, the jobs that need its result fail too, and their errors say why.
    let lonely = generate::job(1_u32).submit(&cluster)?;
    let fitted = fit::job(&lonely).submit(&cluster)?;
    if let Err(failure) = error::job(&lonely, &fitted).submit(&cluster)?.result() {
        println!("{failure}");
    }
    Ok(())
}
