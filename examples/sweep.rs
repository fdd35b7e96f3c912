//! An array, and a job that takes all of its values: the smallest value of a function on a grid.
//!
//! `cargo run --example sweep`

use serde::{Deserialize, Serialize};
use slurm::Cluster;

/// A point and the value of the function there.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Point {
    x: f64,
    y: f64,
    value: f64,
}

/// Computes one point of the grid.
#[slurm::task(time = "00:01:00", mem = "100M")]
fn rosenbrock(x: f64, y: f64) -> Point {
    let value = (1.0 - x).powi(2) + 100.0 * (y - x * x).powi(2);
    Point { x, y, value }
}

/// Returns the point with the smallest value.
#[slurm::task(time = "00:01:00", mem = "100M")]
fn smallest(points: &[Point]) -> Option<Point> {
    points.iter().copied().min_by(|one, other| one.value.total_cmp(&other.value))
}

#[slurm::main]
fn main(cluster: Cluster) -> slurm::Result<()> {
    let axis = (-10..=10).map(|step| f64::from(step) / 5.0);
    let grid = axis.clone().flat_map(|x| axis.clone().map(move |y| (x, y)));
    // Each point is one call, and each element of the array makes 20 calls. The second job waits for the whole
    // array and gets its values on the cluster.
    let points = rosenbrock::map(grid).chunk(20).submit(&cluster)?;
    let best = smallest::job(&points).submit(&cluster)?;
    if let Some(Point { x, y, value }) = best.result()? {
        println!("{} points; the smallest value is {value:.3} at ({x}, {y})", points.len());
    }
    Ok(())
}
