// Items may have all types that arguments of a call may have.
#![deny(warnings)]

use std::path::Path;

use slurm::{Job, JobArray, JobContext};

#[slurm::task]
fn nothing() {}

#[slurm::task]
fn one(n: u64) -> u64 {
    n
}

#[slurm::task]
pub fn several(ctx: &JobContext, name: &str, values: &[f64], path: &Path, n: u64) -> f64 {
    let _ = (ctx, name, path);
    values[0] + n as f64
}

#[allow(clippy::too_many_arguments)]
#[slurm::task]
fn too_many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8) -> u8 {
    a + b + c + d + e + f + g + h + i
}

fn builders(job: &Job<u64>, array: &JobArray<u64>) {
    let offset = 3_u64;
    let owned = vec![1_u64, 2];
    let _ = nothing::map([(), ()]);
    let _ = one::map(0..10);
    let _ = one::map(&owned);
    let _ = one::map(owned.iter().map(|n| n + offset)).max_running(2).time("10");
    let _ = one::map(array);
    let _ = one::map([job, job]);
    let _ = several::map([("a", vec![0.5], "/data", 1), ("b", vec![1.5], "/data", 2)]);
    let _ = several::map(array.into_iter().map(|n| ("a", [0.5], Path::new("/data"), n)));
    let _ = too_many::job(1, 2, 3, 4, 5, 6, 7, 8, 9);
}

fn main() {
    let _ = builders;
    assert_eq!(one(2), 2);
}
